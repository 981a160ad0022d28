"""OpenAI's official SDK makes pictures, speaks, listens and judges through the gateway; rerank over plain HTTP."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel
from tests.upstreams.openai_extras import AUDIO, PIXEL, form_of
from tests.upstreams.reply import Reply, Reset, Send, chunk, head

PICTURE = base64.b64decode(PIXEL)
DOCUMENTS = ["a", "the longest of them", "two words"]
BOUNDARY = "b0undary"
FILE = '; filename="a.wav"'


class House:
    """A gateway before an OpenAI-compatible server (model ``m``) and an Ollama (model ``local``)."""

    def __init__(self, gateway: Gateway, upstream: FakeOpenAI) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.sdk = gateway.openai()

    def sent(self) -> Any:
        return self.upstream.requests[-1]

    def row(self, key: str) -> dict[str, Any]:
        return self.gateway.settled_ledger(1, key)[0]

    def post_form(self, path: str, body: bytes, **headers: str) -> Any:
        content_type = f"multipart/form-data; boundary={BOUNDARY}"
        return self.gateway.http("POST", path, body, headers={"Content-Type": content_type, **headers})


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    prices: Any = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
    by_unit: Any = {"input_cost_per_character": 1e-5, "input_cost_per_second": 1e-4, "input_cost_per_query": 0.002}
    with FakeOllama([OllamaModel("llama3.1:8b")]) as ollama, FakeOpenAI() as upstream:
        entries = [
            openai_entry("m", upstream, **prices),
            openai_entry("by-unit", upstream, **by_unit, output_cost_per_image=0.04),
            {"model_name": "local", "litellm_params": {"model": "ollama_chat/llama3.1:8b", "api_base": ollama.url}},
        ]
        with Gateway.start({"model_list": entries, "pointsman": {"log_prompts": True}}) as gateway:
            yield House(gateway, upstream)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    running.upstream.clear()


def part(name: str, content: bytes, extra: str = "") -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def test_a_picture(house: House) -> None:
    key = house.gateway.new_key()
    made = house.gateway.openai(key).images.generate(model="m", prompt="a cat", n=2, size="1024x1024")
    assert made.data is not None and [picture.b64_json for picture in made.data] == [PIXEL, PIXEL]
    assert house.sent().json() == {"model": "fake-model", "prompt": "a cat", "n": 2, "size": "1024x1024"}
    row = house.row(key)
    assert (row["call_type"], row["prompt_tokens"], row["completion_tokens"]) == ("aimage_generation", 50, 50)
    assert row["spend"] == pytest.approx(50e-6 + 100e-6)


def test_a_picture_by_address_and_its_price_by_the_piece(house: House) -> None:
    key = house.gateway.new_key(max_budget=1)
    made = house.gateway.openai(key).images.generate(model="by-unit", prompt="a cat", n=2, response_format="url")
    assert made.data is not None and made.data[0].url == "https://pictures.example/1.png"
    assert house.row(key)["spend"] == pytest.approx(0.08)


def test_partial_pictures_come_as_events(house: House) -> None:
    key = house.gateway.new_key()
    stream = house.gateway.openai(key).images.generate(model="m", prompt="a cat", stream=True, partial_images=1)
    assert [event.type for event in stream] == ["image_generation.partial_image", "image_generation.completed"]
    assert house.row(key)["total_tokens"] == 100


def test_a_picture_is_changed_and_its_file_arrives_untouched(house: House) -> None:
    key = house.gateway.new_key()
    made = house.gateway.openai(key).images.edit(
        model="m", prompt="a hat", image=[("a.png", PICTURE, "image/png"), ("b.png", PICTURE, "image/png")], user="u1"
    )
    assert made.data is not None and made.data[0].b64_json == PIXEL
    parts = form_of(house.sent())
    assert [content for name, _, _, content in parts if name == "model"] == [b"fake-model"]
    files = [entry for entry in parts if entry[1]]
    assert files == [("image[]", "a.png", "image/png", PICTURE), ("image[]", "b.png", "image/png", PICTURE)]
    row = house.row(key)
    assert (row["call_type"], row["end_user"]) == ("aimage_edit", "u1")


def test_a_change_comes_as_events_and_as_json(house: House) -> None:
    stream = house.sdk.images.edit(model="m", prompt="a hat", image=("a.png", PICTURE), stream=True)
    assert [event.type for event in stream] == ["image_edit.partial_image", "image_edit.completed"]
    body = {"model": "m", "prompt": "a hat", "images": [{"image_url": "https://pictures.example/1.png"}]}
    assert house.gateway.http("POST", "/v1/images/edits", body).status == 200
    assert house.sent().json() == {**body, "model": "fake-model"}


def test_a_variation(house: House) -> None:
    answer = house.post_form(
        "/v1/images/variations", form(part("model", b"m"), part("n", b"2"), part("image", PICTURE, FILE))
    )
    assert [picture["b64_json"] for picture in answer.json()["data"]] == [PIXEL, PIXEL]


def test_speech_comes_as_it_is_made(house: House) -> None:
    key = house.gateway.new_key(max_budget=1)
    sdk = house.gateway.openai(key)
    with sdk.audio.speech.with_streaming_response.create(model="by-unit", input="Hello", voice="alloy") as answer:
        assert answer.headers["content-type"] == "audio/mpeg"
        assert b"".join(answer.iter_bytes()) == AUDIO
    row = house.row(key)
    assert (row["call_type"], row["status"]) == ("aspeech", "success")
    assert row["spend"] == pytest.approx(5e-5)


def test_speech_as_events(house: House) -> None:
    key = house.gateway.new_key()
    body = {"model": "m", "input": "Hello", "voice": "alloy", "stream_format": "sse"}
    answer = house.gateway.http("POST", "/v1/audio/speech", body, key=key)
    assert answer.headers["content-type"] == "text/event-stream" and b"speech.audio.done" in answer.body
    assert house.row(key)["completion_tokens"] == 45


def test_speech_that_is_cut_off_is_not_taken_for_whole(house: House) -> None:
    cut = Reply((
        Send(head(200, {"Content-Type": "audio/mpeg", "Transfer-Encoding": "chunked"})), Send(chunk(AUDIO)), Reset(),
    ))  # fmt: skip
    house.upstream.script(cut)
    key = house.gateway.new_key()
    sdk = house.gateway.openai(key)
    with (
        pytest.raises(Exception, match=r"incomplete|closed|peer"),
        sdk.audio.speech.with_streaming_response.create(model="m", input="Hello", voice="alloy") as answer,
    ):
        answer.read()
    assert house.row(key)["status"] == "failure"


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_a_transcript_keeps_its_form(house: House, form: Any) -> None:
    text = house.sdk.audio.transcriptions.create(model="m", file=("a.wav", AUDIO, "audio/wav"), response_format=form)
    assert "Hello there." in text
    assert [entry for entry in form_of(house.sent()) if entry[1]] == [("file", "a.wav", "audio/wav", AUDIO)]


def test_a_transcript_as_json_with_its_tokens_or_its_seconds(house: House) -> None:
    key = house.gateway.new_key()
    sdk = house.gateway.openai(key)
    assert sdk.audio.transcriptions.create(model="m", file=("a.wav", AUDIO)).text == "Hello there."
    assert house.row(key)["completion_tokens"] == 45
    other = house.gateway.new_key()
    told = house.gateway.openai(other).audio.transcriptions.create(
        model="by-unit", file=("a.wav", AUDIO), response_format="verbose_json"
    )
    assert told.duration == 2.5
    assert house.row(other)["spend"] == pytest.approx(2.5e-4)


def test_a_transcript_comes_as_events(house: House) -> None:
    stream = house.sdk.audio.transcriptions.create(model="m", file=("a.wav", AUDIO), stream=True)
    assert [event.type for event in stream] == ["transcript.text.delta", "transcript.text.done"]


def test_a_translation(house: House) -> None:
    answer = house.post_form("/v1/audio/translations", form(part("model", b"m"), part("file", AUDIO, FILE)))
    assert answer.json()["text"] == "Hello there."


def test_a_moderation(house: House) -> None:
    judged = house.sdk.moderations.create(model="m", input=["a", "b"])
    assert judged.results[0].flagged
    with pytest.raises(openai.BadRequestError, match="omni-moderation-latest"):
        house.sdk.moderations.create(input="a")


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
def test_a_ranking(house: House, path: str) -> None:
    key = house.gateway.new_key(max_budget=1)
    body = {"model": "by-unit", "query": "which?", "documents": DOCUMENTS, "top_n": 2}
    answer = house.gateway.http("POST", path, body, key=key)
    assert [row["index"] for row in answer.json()["results"]] == [1, 2]
    row = house.row(key)
    assert (row["call_type"], row["spend"]) == ("arerank", pytest.approx(0.002))


@pytest.mark.parametrize("prefix", ["/openai/deployments/m", "/engines/m"])
def test_a_model_in_the_path_as_azure_has_it(house: House, prefix: str) -> None:
    path = f"{prefix}/audio/transcriptions?api-version=2025-03-01"
    answer = house.post_form(path, form(part("file", AUDIO, FILE)))
    assert answer.json()["text"] == "Hello there."
    assert ("model", None, None, b"fake-model") in form_of(house.sent())


def test_a_key_uses_only_its_models_and_its_budget(house: House) -> None:
    key = house.gateway.new_key(models=["other"])
    with pytest.raises(openai.PermissionDeniedError):
        house.gateway.openai(key).audio.transcriptions.create(model="m", file=("a.wav", AUDIO))
    poor = house.gateway.new_key(max_budget=0.01)
    sdk = house.gateway.openai(poor)
    sdk.images.generate(model="by-unit", prompt="a cat")
    with pytest.raises(openai.UnprocessableEntityError, match="Budget"):
        sdk.images.generate(model="by-unit", prompt="a cat")


def test_a_second_model_cannot_hide_in_a_form(house: House) -> None:
    before = len(house.upstream.requests)
    twice = form(part("model", b"m"), part("model", b"dearer"), part("file", AUDIO, FILE))
    answer = house.post_form("/v1/audio/transcriptions", twice)
    assert (answer.status, answer.json()["error"]["param"]) == (400, "model")
    inside = part("file", b"\r\n--" + BOUNDARY.encode() + b"X\r\n", FILE)
    assert house.post_form("/v1/audio/transcriptions", form(part("model", b"m"), inside)).status == 400
    assert len(house.upstream.requests) == before


@pytest.mark.parametrize(
    ("path", "parts", "param"),
    [
        ("/v1/audio/transcriptions", [part("file", AUDIO, FILE)], "model"),
        ("/v1/audio/transcriptions", [part("model", b"m")], "file"),
        ("/v1/audio/transcriptions", [part("model", b"m"), part("file", AUDIO)], "file"),
        ("/v1/images/edits", [part("model", b"m"), part("image", PICTURE, FILE)], "prompt"),
        ("/v1/images/variations", [part("model", b"m"), part("n", b"0"), part("image", PICTURE, FILE)], "n"),
        ("/v1/audio/translations", [part("model", b"m"), part("stream", b"?"), part("file", b"", FILE)], "stream"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_form_is_named(house: House, path: str, parts: list[bytes], param: str) -> None:
    answer = house.post_form(path, form(*parts))
    assert (answer.status, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/images/generations", {"model": "m"}, "prompt"),
        ("/v1/images/generations", {"model": "m", "prompt": "x", "n": 0}, "n"),
        ("/v1/audio/speech", {"model": "m", "input": 7}, "input"),
        ("/v1/moderations", {"model": "m"}, "input"),
        ("/v1/rerank", {"model": "m", "query": "q"}, "documents"),
        ("/v1/rerank", {"model": "m", "query": "q", "documents": []}, "documents"),
        ("/v1/audio/transcriptions", {"model": "m"}, None),
    ],
)
def test_what_is_wrong_with_a_body_is_named(house: House, path: str, body: Any, param: str | None) -> None:
    answer = house.gateway.http("POST", path, body)
    assert (answer.status, answer.json()["error"]["param"]) == (400, param)


def test_who_does_not_serve_it_says_so(house: House) -> None:
    with pytest.raises(openai.BadRequestError, match="does not serve /images/generations"):
        house.sdk.images.generate(model="local", prompt="a cat")
    house.upstream.script(Reply.error(404, "Not Found"))
    with pytest.raises(openai.NotFoundError, match="may not serve /images/generations"):
        house.sdk.images.generate(model="m", prompt="a cat")


def test_files_stay_out_of_the_log_of_prompts(house: House) -> None:
    key = house.gateway.new_key()
    sdk = house.gateway.openai(key)
    sdk.audio.transcriptions.create(
        model="m", file=("a.wav", AUDIO, "audio/wav"), response_format="vtt", prompt="names"
    )
    with sdk.audio.speech.with_streaming_response.create(model="m", input="Hello", voice="alloy") as answer:
        answer.read()
    rows = {row["call_type"]: row for row in house.gateway.settled_ledger(2, key)}
    shown = rows["atranscription"]["messages"]
    assert shown["file"] == {"filename": "a.wav", "content_type": "audio/wav", "bytes": len(AUDIO)}
    assert shown["prompt"] == "names"
