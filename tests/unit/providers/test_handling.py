"""What an operator says of single deployments, where it changes how they are asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from pointsman.assembly.deployments import configured
from pointsman.assembly.dialects import CLIENT_DIALECTS
from pointsman.catalog.lookup import Catalog
from pointsman.config.sections import LiteLLMParams, ModelEntry, ModelInfo, Settings
from pointsman.core.errors import Malformed
from pointsman.core.identity import Owner
from pointsman.core.upstream import Deployment, Lane, Operation
from pointsman.dialects.openai_extras.forms import read_form_ask
from pointsman.providers.lanes import LaneBook
from pointsman.wire.multipart import FormPart, encode_form


def deployment(model: str = "openai/far", **params: Any) -> Deployment:
    given = LiteLLMParams(model=model, api_base="http://x/v1", **params)
    settings = Settings(model_list=(ModelEntry(model_name="own", litellm_params=given),))
    return configured(settings, {}, Catalog()).deployments[0]


@pytest.mark.parametrize("operation", [Operation.TRANSCRIPTION, Operation.TRANSLATION])
def test_a_recording_that_is_too_long_is_refused(operation: Operation) -> None:
    lane = LaneBook({}).lane(operation, deployment(max_file_size_mb=0.5))
    for size, is_fine in ((512 * 1024, True), (512 * 1024 + 1, False)):
        sound = FormPart("file", bytes(size), "a.wav", "audio/wav")
        body = encode_form((FormPart("model", b"own"), sound), b"boundary")
        ask = read_form_ask(body, operation, None)
        if is_fine:
            assert lane.write(ask).body.endswith(b"--\r\n")
        else:
            with pytest.raises(Malformed, match=r"takes 0\.5 MB at most") as refused:
                lane.write(ask)
            assert (refused.value.status, refused.value.param) == (400, "file")


@pytest.mark.parametrize(
    ("model", "params", "relays"),
    [
        ("openai/far", {}, True),
        ("openai/far", {"use_chat_completions_api": True}, False),
        ("openai/chat_completions/far", {}, False),
        ("groq/chat_completions/far", {}, True),
        ("openai/far", {"mock_response": msgspec.Raw(b'"x"')}, False),
    ],
)
def test_responses_may_be_answered_by_way_of_a_chat(model: str, params: dict[str, Any], *, relays: bool) -> None:
    asked: list[str] = []

    def relayed(one: Deployment, emulated: Lane) -> Lane:
        asked.append(one.model)
        return emulated

    made = deployment(model, **params)
    LaneBook({}, relayed=relayed).lane(Operation.RESPONSES, made)
    assert asked == ([made.model] if relays else [])
    assert made.model == ("chat_completions/far" if model.startswith("groq") else "far")


def test_fireworks_is_told_whose_call_it_is() -> None:
    def user(owner: Owner | None, model: str = "fireworks_ai/far", operation: Operation = Operation.CHAT) -> Any:
        lane = LaneBook({}).lane(operation, deployment(model, fireworks_forward_user_id=True))
        chat = {"model": "own", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}
        said = {"user": "said"} if operation is Operation.CHAT else {}
        ask = CLIENT_DIALECTS[operation].read_ask(json.dumps({**chat, **said}).encode(), operation, None)
        ask.owner = owner
        if lane.prepares:
            asyncio.run(lane.prepare(ask))
        return json.loads(lane.write(ask).body).get("user")

    assert user(Owner("t", user_id="ada")) == "ada"
    assert user(Owner("t", user_id="ada"), operation=Operation.MESSAGES) == "ada"
    assert user(Owner("t")) == user(None) == "said"
    assert user(Owner("t", user_id="ada"), "openai/far") == "said"


def test_how_long_an_embedding_is_is_told() -> None:
    assert bytes(deployment(output_vector_size=768).told["output_vector_size"]) == b"768"
    info = ModelInfo(extras={"output_vector_size": msgspec.Raw(b"3")})
    params = LiteLLMParams(model="openai/far", api_base="http://x/v1", output_vector_size=768)
    entry = ModelEntry(model_name="own", litellm_params=params, model_info=info)
    (made,) = configured(Settings(model_list=(entry,)), {}, Catalog()).deployments
    assert bytes(made.told["output_vector_size"]) == b"3"
