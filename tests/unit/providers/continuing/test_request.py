"""The request for the rest of an answer."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling, ToolChoice
from pointsman.core.content import Message, Text
from pointsman.core.upstream import Deployment, Outbound
from pointsman.providers.continuing.request import continued_call, is_continuable, with_prefill

CALL = Call("m", (Message("user", (Text("Tell."),)),))
TEXT = "Once upon "


def deployment(provider: str = "openai", *, prefill: bool = False) -> Deployment:
    return Deployment(
        id="d", group="m", provider=provider, model="real", litellm_model=f"{provider}/real", api_base="http://u",
        price=None, charges=False, capabilities=frozenset({"assistant_prefill"} if prefill else ()),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "yes"),
    [
        ({}, True),
        ({"tool_choice": ToolChoice("auto")}, True),
        ({"tool_choice": ToolChoice("required")}, False),
        ({"response_format": ResponseFormat("text")}, True),
        ({"response_format": ResponseFormat("json_object")}, False),
        ({"sampling": Sampling(n=2)}, False),
        ({"sampling": Sampling(max_tokens=6)}, True),
        ({"sampling": Sampling(max_tokens=5)}, False),
        ({"messages": (*CALL.messages, Message("assistant", (Text("It"),)))}, False),
    ],
)
def test_only_plain_text_can_be_continued(changes: dict[str, object], yes: bool) -> None:
    assert is_continuable(msgspec.structs.replace(CALL, **changes), 5) is yes


def test_a_model_that_takes_prefill_is_given_the_text() -> None:
    call = continued_call(CALL, TEXT, 3, deployment(prefill=True))
    assert call.messages == (*CALL.messages, Message("assistant", (Text("Once upon"),)))


@pytest.mark.parametrize(("text", "ends_in_space"), [(TEXT, True), ("Once up", False)])
def test_any_other_is_told_to_go_on(text: str, ends_in_space: bool) -> None:
    bounded = msgspec.structs.replace(CALL, sampling=Sampling(max_tokens=10))
    call = continued_call(bounded, text, 3, deployment())
    said, told = call.messages[-2:]
    assert (said.role, said.parts) == ("assistant", (Text(text),))
    (words,) = told.parts
    assert isinstance(words, Text)
    assert msgspec.json.encode(text).decode() in words.text
    assert ("White space is there already" in words.text) is ends_in_space
    assert call.sampling.max_tokens == 7


def test_a_model_that_is_to_think_is_told_too() -> None:
    call = msgspec.structs.replace(CALL, reasoning=Reasoning(effort="low"))
    assert continued_call(call, TEXT, 3, deployment(prefill=True)).messages[-1].role == "user"


def test_servers_are_told_in_their_own_words_that_the_last_message_goes_on() -> None:
    body = msgspec.json.encode({"model": "real", "messages": [{"role": "assistant", "content": "Once upon"}]})
    prefilled = continued_call(CALL, TEXT, 3, deployment("hosted_vllm"))
    sent = msgspec.json.decode(with_prefill(Outbound(b"/", body), prefilled, deployment("hosted_vllm")).body)
    assert (sent["continue_final_message"], sent["add_generation_prompt"]) == (True, False)
    deepseek = deployment("deepseek", prefill=True)
    marked = continued_call(CALL, TEXT, 3, deepseek)
    sent = msgspec.json.decode(with_prefill(Outbound(b"/", body), marked, deepseek).body)
    assert sent["messages"][-1] == {"role": "assistant", "content": "Once upon", "prefix": True}
    assert with_prefill(Outbound(b"/", body), marked, deployment()).body == body
    told = continued_call(CALL, TEXT, 3, deployment())
    assert with_prefill(Outbound(b"/", body), told, deepseek).body == body
