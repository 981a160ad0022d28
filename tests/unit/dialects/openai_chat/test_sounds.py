"""Answers in sound: OpenAI's own, whole and in pieces, and those of others."""

from __future__ import annotations

import json
from typing import Any

from pointsman.core.call import Call
from pointsman.core.content import Audio, Message, Text
from pointsman.core.events import Event, Finished, PartGiven, Started
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_chat.grammar import violations
from pointsman.dialects.openai_chat.replies import read_reply, write_reply
from pointsman.dialects.openai_chat.streams import StreamReader, StreamWriter

CALL = Call("m", (Message("user", (Text("Say hi"),)),), stream=True)
DELTAS: list[dict[str, Any]] = [
    {"role": "assistant", "content": None, "audio": {"id": "audio_1", "transcript": "He"}},
    {"audio": {"data": "AA=="}},
    {"audio": {"data": "AQI=", "transcript": "llo"}},
    {"audio": {"expires_at": 1_760_003_600}},
]


def frame(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return json.dumps({"id": "c", "created": 1, "model": "gpt-audio", "choices": [choice]}).encode()


def events() -> list[Event]:
    reader = StreamReader(sound_format="pcm16")
    told = [event for delta in DELTAS for event in reader.feed(frame(delta))]
    return [*told, *reader.feed(frame({}, "stop")), *reader.feed(b"[DONE]"), *reader.end()]


def test_the_pieces_of_a_stream_are_one_sound() -> None:
    assert fold(events()).choices[0].parts == (Audio("AAEC", "pcm16", "audio_1", "Hello", 1_760_003_600),)


def test_a_client_gets_them_as_they_come() -> None:
    writer = StreamWriter(CALL)
    stream = writer.write(events()) + writer.end()
    assert violations(stream) == []
    frames = [json.loads(line[6:]) for line in stream.split(b"\n\n") if line.startswith(b"data: {")]
    told = [frame["choices"][0]["delta"]["audio"] for frame in frames if "audio" in frame["choices"][0]["delta"]]
    assert told == [
        {"id": "audio_1", "transcript": "He"},
        {"data": "AA=="},
        {"data": "AQI=", "transcript": "llo"},
        {"expires_at": 1_760_003_600},
    ]
    assert frames[0]["choices"][0]["delta"] == {"role": "assistant", "content": None}


def test_a_whole_answer_is_the_same_for_the_client() -> None:
    audio = {"id": "audio_1", "data": "UklG", "expires_at": 9, "transcript": "Hello"}
    message = {"role": "assistant", "content": None, "refusal": None, "audio": audio}
    body = {"id": "c", "created": 1, "model": "gpt-audio", "choices": [{"message": message, "finish_reason": "stop"}]}
    reply = read_reply(json.dumps(body).encode(), StreamReader(sound_format="mp3"))
    assert reply.choices[0].parts == (Audio("UklG", "mp3", "audio_1", "Hello", 9),)
    assert json.loads(write_reply(reply, CALL))["choices"][0]["message"] == message


def test_a_sound_of_another_provider_has_one_name_that_leads_nowhere() -> None:
    writer = StreamWriter(CALL)
    piece = Audio("AAEC", "L16;codec=pcm;rate=24000")
    stream = writer.write([Started("1", "g", 1), PartGiven(piece), PartGiven(piece), Finished("stop")]) + writer.end()
    frames = [json.loads(line[6:]) for line in stream.split(b"\n\n") if line.startswith(b"data: {")]
    told = [frame["choices"][0]["delta"]["audio"] for frame in frames if "audio" in frame["choices"][0]["delta"]]
    assert [one["data"] for one in told] == ["AAEC", "AAEC"]
    assert told[0]["id"].startswith("audio_other_") and "id" not in told[1]


def test_samples_in_several_parts_are_one_sound_and_files_are_not() -> None:
    def parts(kind: str) -> int:
        given = [PartGiven(Audio("AAEC", kind)), PartGiven(Audio("AAEC", kind))]
        return len(fold([Started("1", "g", 1), *given, Finished("stop")]).choices[0].parts)

    assert (parts("L16;codec=pcm;rate=24000"), parts("wav")) == (1, 2)


def test_pieces_that_are_no_base64_are_kept_as_they_are() -> None:
    given = [PartGiven(Audio(data, "wav", "a")) for data in ("A=", "AA==")]
    (sound,) = fold([Started("1", "g", 1), *given, Finished("stop")]).choices[0].parts
    assert isinstance(sound, Audio) and sound.data == "A=AA=="
