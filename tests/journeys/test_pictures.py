"""Pictures and rankings of providers that have them in words of their own, priced by the catalogue."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.support.gateway import Gateway
from tests.upstreams import FakeBedrock
from tests.upstreams.google_server import FakeGoogle
from tests.upstreams.reply import Reply

PNG = b"\x89PNG\r\n\x1a\n-bytes"
DATA = base64.b64encode(PNG).decode()
MADE = {"predictions": [{"bytesBase64Encoded": DATA, "mimeType": "image/png"}] * 2}
COUNTS = {
    "promptTokenCount": 10, "candidatesTokenCount": 1290, "totalTokenCount": 1300,
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
}  # fmt: skip
DRAWN = {
    "candidates": [{"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": DATA}}]}}],
    "usageMetadata": COUNTS,
}
VERTEX = "/v1/projects/the-project/locations/europe-west4/publishers/google/models"


class House:
    """A gateway before Gemini's own API, Vertex AI and Bedrock."""

    def __init__(self, gateway: Gateway, google: FakeGoogle, bedrock: FakeBedrock) -> None:
        self.bedrock = bedrock
        self.gateway = gateway
        self.google = google
        self.sdk = gateway.openai()

    def cost(self, answer: Any) -> float:
        return float(answer.headers["x-litellm-response-cost"])


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeGoogle() as google, FakeBedrock() as bedrock:
        studio = {"api_base": google.url, "api_key": google.key}
        vertex = {"api_base": google.url, "vertex_location": "europe-west4",
                  "vertex_credentials": google.service_account()}  # fmt: skip
        aws = {"api_base": bedrock.url, "aws_region_name": bedrock.region, "aws_access_key_id": "AKIDSTATIC",
               "aws_secret_access_key": "static-secret"}  # fmt: skip
        entries = [
            {"model_name": "canvas", "litellm_params": {"model": "bedrock/amazon.nova-canvas-v1:0", **aws}},
            {"model_name": "ranker", "litellm_params": {"model": "bedrock/cohere.rerank-v3-5:0", **aws}},
            {"model_name": "google-ranker",
             "litellm_params": {"model": "vertex_ai/semantic-ranker-default-004", **vertex}},
            {"model_name": "imagen", "litellm_params": {"model": "gemini/imagen-4.0-generate-001", **studio},
             "model_info": {"mode": "image_generation", "output_cost_per_image": 0.04}},
            {"model_name": "banana", "litellm_params": {"model": "gemini/gemini-2.5-flash-image", **studio}},
            {"model_name": "vertex", "litellm_params": {"model": "vertex_ai/imagen-3.0-capability-001", **vertex},
             "model_info": {"mode": "image_generation", "output_cost_per_image": 0.04}},
        ]  # fmt: skip
        with Gateway.start({"model_list": entries}) as gateway:
            yield House(gateway, google, bedrock)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    running.google.forget()
    running.bedrock.forget()
    yield running
    running.google.clear()
    running.bedrock.clear()


def test_imagen_makes_pictures_at_a_price_each(house: House) -> None:
    house.google.script(Reply.json(MADE))
    raw = house.sdk.images.with_raw_response.generate(model="imagen", prompt="a cat", n=2, size="1024x1024")
    assert [one.b64_json for one in raw.parse().data or ()] == [DATA, DATA]
    request = house.google.inference[-1]
    assert request.target == "/v1beta/models/imagen-4.0-generate-001:predict"
    assert request.header("x-goog-api-key") == house.google.key
    assert request.json()["parameters"] == {"sampleCount": 2, "includeRaiReason": True, "aspectRatio": "1:1"}
    assert house.cost(raw) == pytest.approx(0.08)


def test_gemini_makes_pictures_at_the_price_of_their_tokens_only(house: House) -> None:
    house.google.script(Reply.json(DRAWN))
    raw = house.sdk.images.with_raw_response.generate(model="banana", prompt="a cat")
    told = raw.parse()
    assert [one.b64_json for one in told.data or ()] == [DATA]
    assert told.usage is not None and told.usage.output_tokens == 1290
    assert house.google.inference[-1].target == "/v1beta/models/gemini-2.5-flash-image:generateContent"
    assert house.cost(raw) == pytest.approx(10 * 3e-7 + 1290 * 3e-5)


def test_pictures_are_edited_on_vertex_with_its_token(house: House) -> None:
    house.google.script(Reply.json(MADE))
    told = house.sdk.images.edit(model="vertex", prompt="a hat", image=("a.png", PNG), mask=("m.png", PNG))
    assert len(told.data or ()) == 2
    request = house.google.inference[-1]
    assert request.target == f"{VERTEX}/imagen-3.0-capability-001:predict"
    assert (request.header("authorization") or "").startswith("Bearer google-token-")
    assert len(request.json()["instances"][0]["referenceImages"]) == 2


def test_a_picture_held_back_and_a_foreign_field_are_told(house: House) -> None:
    house.google.script(Reply.json({"predictions": [{"raiFilteredReason": "Unsafe words."}]}))
    with pytest.raises(openai.BadRequestError, match="Unsafe words") as caught:
        house.sdk.images.generate(model="imagen", prompt="a cat")
    assert caught.value.code == "content_policy_violation"
    with pytest.raises(openai.BadRequestError, match="quality") as refused:
        house.sdk.images.generate(model="imagen", prompt="a cat", quality="hd")
    assert refused.value.param == "quality"


def test_bedrock_is_asked_for_pictures_with_a_signature(house: House) -> None:
    house.bedrock.script(Reply.json({"images": [DATA, DATA]}))
    raw = house.sdk.images.with_raw_response.generate(model="canvas", prompt="a cat", n=2, size="1024x1024")
    assert [one.b64_json for one in raw.parse().data or ()] == [DATA, DATA]
    request = house.bedrock.conversations[-1]
    assert request.path == "/model/amazon.nova-canvas-v1%3A0/invoke"
    config = {"numberOfImages": 2, "width": 1024, "height": 1024}
    assert request.json()["imageGenerationConfig"] == config
    assert house.cost(raw) == pytest.approx(0.12)


RANK = {"query": "q", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True}


def rank(house: House, model: str) -> Any:
    told = house.gateway.http("POST", "/v1/rerank", {"model": model, **RANK})
    assert told.status == 200, told.body
    body = json.loads(told.body)
    assert body["meta"]["billed_units"] == {"search_units": 1}
    return body["results"]


def test_bedrock_ranks(house: House) -> None:
    house.bedrock.script(Reply.json({"results": [{"index": 1, "relevance_score": 0.75}]}))
    assert rank(house, "ranker") == [{"index": 1, "relevance_score": 0.75, "document": {"text": "b"}}]
    request = house.bedrock.conversations[-1]
    assert request.path == "/model/cohere.rerank-v3-5%3A0/invoke"
    assert request.json() == {"query": "q", "documents": ["a", "b"], "top_n": 1, "api_version": 2}


def test_vertex_ranks_in_the_one_place_of_that_service(house: House) -> None:
    house.google.script(Reply.json({"records": [{"id": "0", "score": 0.5}, {"id": "1", "score": 0.9}]}))
    assert [row["index"] for row in rank(house, "google-ranker")] == [1, 0]
    request = house.google.inference[-1]
    place = "/v1/projects/the-project/locations/global/rankingConfigs/default_ranking_config:rank"
    assert (request.target, request.header("x-goog-user-project")) == (place, "the-project")
    body = request.json()
    assert body["records"][1] == {"id": "1", "title": "b", "content": "b"}
    assert (body["model"], body["topN"]) == ("semantic-ranker-default-004", 1)
