"""Sounds and images that a client of OpenAI's chat asks Gemini for."""

from __future__ import annotations

import base64
import io
import json
import wave
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import GatewayError, Malformed, Unsupported
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.providers.translated import CLIENTS, GeminiFar, read_call
from pointsman.providers.translated.lane import TranslatedLane
from pointsman.providers.translated.openai_responses import OpenAIResponsesFar

DEPLOYMENT = Deployment("d", "m", "gemini", "gemini-2.5-flash-preview-tts", "gemini/x", "https://x.invalid", None)
FAR = GeminiFar(lambda _deployment, verb: verb.encode())
SAMPLES = base64.b64encode(b"\x01\x00\x02\x00").decode()


def asked(**fields: Any) -> Ask:
    body = {"model": "m", "messages": [{"role": "user", "content": "?"}], **fields}
    ask = Ask(Operation.CHAT, "m", msgspec.json.decode(json.dumps(body), type=dict[str, msgspec.Raw]))
    ask.stream = bool(fields.get("stream"))
    return ask


def config(**fields: Any) -> Any:
    call = read_call(CLIENTS[Operation.CHAT], asked(**fields))
    return json.loads(FAR.write(call, DEPLOYMENT).body).get("generationConfig")


VOICE = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"modalities": ["text"]}, None),
        ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
        ({"modalities": ["image"]}, {"responseModalities": ["IMAGE"]}),
        ({"modalities": ["audio"]}, {"responseModalities": ["AUDIO"]}),
        (
            {"modalities": ["text", "audio"], "audio": {"voice": "Kore", "format": "pcm16"}},
            {"speechConfig": VOICE, "responseModalities": ["AUDIO"]},
        ),
        (
            {"audio": {"voice": "Kore", "format": "wav", "language_code": "de-DE"}},
            {"speechConfig": {**VOICE, "languageCode": "de-DE"}, "responseModalities": ["AUDIO"]},
        ),
        (
            {"modalities": ["image"], "imageConfig": {"aspectRatio": "16:9"}},
            {"imageConfig": {"aspectRatio": "16:9"}, "responseModalities": ["IMAGE"]},
        ),
        ({"response_modalities": ["TEXT", "IMAGE"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
    ],
)
def test_gemini_is_asked_for_it_in_its_own_words(fields: dict[str, Any], expected: Any) -> None:
    assert config(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"modalities": ["smell"]}, Unsupported, "modalities"),
        ({"modalities": "audio"}, Malformed, "modalities"),
        ({"audio": {"voice": "Kore", "format": "mp3"}}, Unsupported, "audio.format"),
        ({"audio": {"voice": "Kore", "format": "wav"}, "stream": True}, Malformed, "audio.format"),
        ({"audio": {"voice": 7}}, Malformed, "audio.voice"),
    ],
)
def test_what_it_has_not_is_refused_by_the_fields_name(
    fields: dict[str, Any], kind: type[GatewayError], param: str
) -> None:
    with pytest.raises(kind) as refused:
        config(**fields)
    assert refused.value.param == param


def answer(*kinds: str) -> bytes:
    parts = [{"inlineData": {"mimeType": kind, "data": SAMPLES}} for kind in kinds]
    candidate = {"content": {"parts": parts}, "finishReason": "STOP", "index": 0}
    return json.dumps({"candidates": [candidate], "modelVersion": "g", "responseId": "r"}).encode()


def message(ask: Ask, body: bytes) -> Any:
    lane = TranslatedLane(CLIENTS[Operation.CHAT], FAR, DEPLOYMENT)
    lane.write(ask)
    return json.loads(lane.answer(ask).whole(body))["choices"][0]["message"]


def test_samples_are_the_clients_sound() -> None:
    kind = "audio/L16;codec=pcm;rate=24000"
    given = message(asked(audio={"voice": "Kore", "format": "pcm16"}), answer(kind, kind))
    assert base64.b64decode(given["audio"]["data"]) == b"\x01\x00\x02\x00" * 2
    assert given["audio"]["transcript"] == "" and given["content"] is None


def test_a_file_holds_the_samples_and_their_rate() -> None:
    given = message(asked(audio={"voice": "Kore", "format": "wav"}), answer("audio/L16;codec=pcm;rate=16000"))
    with wave.open(io.BytesIO(base64.b64decode(given["audio"]["data"]))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16_000, 1, 2)
        assert sound.readframes(9) == b"\x01\x00\x02\x00"


def test_images_are_those_that_clients_of_litellm_know() -> None:
    given = message(asked(modalities=["text", "image"]), answer("image/png"))
    url = f"data:image/png;base64,{SAMPLES}"
    assert given["images"] == [{"type": "image_url", "image_url": {"url": url}, "index": 0}]


def test_an_earlier_sound_is_told_in_its_words() -> None:
    spoken = {"id": "audio_1", "data": SAMPLES, "transcript": "Hello", "expires_at": 9}
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "audio": spoken}, {"role": "user", "content": "!"}]
    body = json.loads(FAR.write(read_call(CLIENTS[Operation.CHAT], asked(messages=turns)), DEPLOYMENT).body)
    assert body["contents"][1] == {"role": "model", "parts": [{"text": "Hello"}]}


def test_one_of_which_there_is_only_a_name_is_refused() -> None:
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "audio": {"id": "audio_1"}}]
    with pytest.raises(Unsupported) as refused:
        FAR.write(read_call(CLIENTS[Operation.CHAT], asked(messages=turns)), DEPLOYMENT)
    assert refused.value.param == "messages[1].audio.id"


@pytest.mark.parametrize(
    ("model", "expected"),
    [("gemini-2.5-flash-image", {"responseModalities": ["TEXT", "IMAGE"]}), ("gemini-2.5-flash", None)],
)
def test_the_tool_for_images_is_a_wish_for_them_where_the_model_gives_some(model: str, expected: Any) -> None:
    function = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    body = {"model": "m", "input": "?", "tools": [{"type": "image_generation"}, function]}
    ask = Ask(Operation.RESPONSES, "m", msgspec.json.decode(json.dumps(body), type=dict[str, msgspec.Raw]))
    deployment = msgspec.structs.replace(DEPLOYMENT, model=model)
    told = json.loads(FAR.write(read_call(CLIENTS[Operation.RESPONSES], ask), deployment).body)
    assert told.get("generationConfig") == expected and len(told["tools"]) == 1


def test_a_chat_that_wants_images_is_one_with_a_tool_for_them_in_the_responses_api() -> None:
    far = OpenAIResponsesFar()
    call = read_call(CLIENTS[Operation.CHAT], asked(modalities=["text", "image"]))
    assert json.loads(far.write(call, DEPLOYMENT).body)["tools"] == [{"type": "image_generation"}]
    with pytest.raises(Unsupported) as refused:
        far.write(read_call(CLIENTS[Operation.CHAT], asked(modalities=["text", "audio"])), DEPLOYMENT)
    assert refused.value.param == "modalities"
