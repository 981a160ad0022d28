"""What an OpenAI client sends Mistral is relayed where nothing but names has to change."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.dialects.openai_fields import read_ask
from pointsman.providers.express.answer import ExpressAnswer
from pointsman.providers.translated import TranslatedAnswer, mistral_lane

USER = {"role": "user", "content": "Hi"}
SMALL = Deployment(
    id="d", group="public", provider="mistral", model="mistral-small", litellm_model="mistral/mistral-small",
    api_base="http://x/v1", price=None,
)  # fmt: skip


def asked(*messages: dict[str, Any], **fields: Any) -> Ask:
    body = json.dumps({"model": "public", "messages": messages or [USER], **fields}).encode()
    return read_ask(body, Operation.CHAT, None)


def is_relayed(ask: Ask, deployment: Deployment = SMALL) -> bool:
    lane = mistral_lane(deployment, Operation.CHAT)
    lane.write(ask)
    answer = lane.answer(ask)
    assert isinstance(answer, ExpressAnswer | TranslatedAnswer)
    return isinstance(answer, ExpressAnswer)


def test_a_plain_request_is_relayed_under_mistrals_names() -> None:
    ask = asked(seed=1, max_completion_tokens=5, user="u", stream=True, safe_prompt=True)
    sent = json.loads(mistral_lane(SMALL, Operation.CHAT).write(ask).body)
    assert sent == {
        "model": "mistral-small", "messages": [USER], "random_seed": 1, "max_tokens": 5, "stream": True,
        "safe_prompt": True,
    }  # fmt: skip
    assert is_relayed(asked(tools=[], tool_choice="auto"))
    assert is_relayed(asked()) and is_relayed(asked(USER, {"role": "assistant", "content": "x"}, USER))


@pytest.mark.parametrize(
    "ask",
    [
        asked({"role": "developer", "content": "x"}, USER),
        asked({**USER, "name": "ann"}),
        asked({"role": "tool", "tool_call_id": "c", "content": "1"}, USER),
        asked(USER, {"role": "assistant", "content": "x"}),
        asked({"role": "assistant", "content": "x", "reasoning_content": "y"}, USER),
        asked({"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}]}),
        asked(metadata={}, service_tier="auto"),
        asked(tools=[], tool_choice="required"),
        asked(stream=True, stream_options={"include_usage": True}),
    ],
)
def test_whatever_has_to_be_written_otherwise_is_translated(ask: Ask) -> None:
    assert not is_relayed(ask)


def test_a_model_that_thinks_and_an_operators_field_are_translated() -> None:
    assert not is_relayed(asked(), msgspec.structs.replace(SMALL, model="magistral-small"))
    assert not is_relayed(asked(), msgspec.structs.replace(SMALL, capabilities=frozenset({"reasoning"})))
    assert not is_relayed(asked(), msgspec.structs.replace(SMALL, pinned={"top_k": msgspec.Raw(b"3")}))


def test_older_completions_fill_in_the_middle() -> None:
    lane = mistral_lane(SMALL, Operation.COMPLETION)
    ask = read_ask(b'{"model":"public","prompt":"a","suffix":"b"}', Operation.COMPLETION, None)
    outbound = lane.write(ask)
    assert (outbound.path, json.loads(outbound.body)) == (
        b"/fim/completions",
        {"model": "mistral-small", "prompt": "a", "suffix": "b"},
    )
    choice = {"index": 0, "message": {"role": "assistant", "content": "mid"}, "finish_reason": "stop"}
    body = json.dumps({"id": "i", "created": 1, "model": "x", "choices": [choice]}).encode()
    told = json.loads(lane.answer(ask).whole(body))
    assert (told["object"], told["model"], told["choices"][0]["text"]) == ("text_completion", "public", "mid")


def test_an_operators_field_goes_to_its_own_deployment_only() -> None:
    lane = mistral_lane(msgspec.structs.replace(SMALL, pinned={"max_tokens": msgspec.Raw(b"3")}), Operation.COMPLETION)
    ask = read_ask(b'{"model":"public","prompt":"a"}', Operation.COMPLETION, None)
    assert json.loads(lane.write(ask).body)["max_tokens"] == 3 and "max_tokens" not in ask.fields
    assert json.loads(lane.answer(ask).whole(b'{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}'))


def test_embeddings_are_relayed() -> None:
    ask = read_ask(b'{"model":"public","input":"a","dimensions":8,"user":"u"}', Operation.EMBEDDING, None)
    outbound = mistral_lane(SMALL, Operation.EMBEDDING).write(ask)
    sent = {"model": "mistral-small", "input": "a", "output_dimension": 8}
    assert (outbound.path, json.loads(outbound.body)) == (b"/embeddings", sent)
