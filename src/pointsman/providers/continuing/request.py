"""The request for the rest of an answer: the client's own, and what was answered so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import Message, Text
from pointsman.core.upstream import Deployment, Outbound

__all__ = ["continued_call", "is_continuable", "takes_prefill", "with_prefill"]

_PREFILL: Final = "assistant_prefill"
_QUOTED_CHARACTERS: Final = 120
_TRUE: Final = msgspec.Raw(b"true")
_FALSE: Final = msgspec.Raw(b"false")

_TOLD: Final = frozenset({"hosted_vllm", "vllm", "sglang"})
_FIELDS: Final[Mapping[str, msgspec.Raw]] = MappingProxyType({
    "continue_final_message": _TRUE, "add_generation_prompt": _FALSE,
})  # fmt: skip
"""What servers want to be told that continue the last message only when told so.

https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html,
https://docs.sglang.ai/basic_usage/openai_api_completions.html.
"""
_MARKING: Final = frozenset({"deepseek"})
"""Who wants the message itself marked: https://api-docs.deepseek.com/guides/chat_prefix_completion."""

_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_messages: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_encode: Final = msgspec.json.Encoder().encode


def is_continuable(call: Call, emitted_tokens: int) -> bool:
    """Whether the rest of an answer to ``call`` of so many tokens can be asked of another model.

    One that has to have a shape, or to be a tool call, cannot: nobody knows where in it the text is. Nor one that goes
    on with words of the client's.
    """
    limit = call.sampling.max_tokens
    return (
        (call.sampling.n or 1) == 1
        and (call.response_format is None or call.response_format.kind == "text")
        and (call.tool_choice is None or call.tool_choice.mode in {"auto", "none"})
        and (not call.messages or call.messages[-1].role != "assistant")
        and (limit is None or limit > emitted_tokens)
    )


def continued_call(call: Call, text: str, emitted_tokens: int, deployment: Deployment) -> Call:
    """``call`` for the rest after ``text``.

    A model that goes on with the last message is given the text as that; any other is told to go on.
    """
    prefills = takes_prefill(deployment) and not _thinks(call)
    # Anthropic's models do not take words that end in white space.
    said = Message("assistant", (Text(text.rstrip() if prefills else text),))
    told = () if prefills else (Message("user", (Text(_instruction(text)),)),)
    sampling, limit = call.sampling, call.sampling.max_tokens
    if limit is not None:
        sampling = msgspec.structs.replace(sampling, max_tokens=max(1, limit - emitted_tokens))
    return msgspec.structs.replace(call, messages=(*call.messages, said, *told), sampling=sampling)


def takes_prefill(deployment: Deployment) -> bool:
    """Whether the model goes on with a conversation that ends in a message of its own."""
    return _PREFILL in deployment.capabilities or deployment.provider in _TOLD


def with_prefill(outbound: Outbound, call: Call, deployment: Deployment) -> Outbound:
    """The request with what the server has to be told to go on with the last message, where that is the model's."""
    if call.messages[-1].role != "assistant":
        return outbound
    if deployment.provider in _TOLD:
        return msgspec.structs.replace(outbound, body=_encode({**_decode(outbound.body), **_FIELDS}))
    if deployment.provider in _MARKING:
        body = _decode(outbound.body)
        messages = _decode_messages(body["messages"])
        messages[-1]["prefix"] = _TRUE
        body["messages"] = msgspec.Raw(_encode(messages))
        return msgspec.structs.replace(outbound, body=_encode(body))
    return outbound


def _thinks(call: Call) -> bool:
    """Whether it wants the model to think first, which none does that has begun to speak."""
    wish = call.reasoning
    return wish is not None and wish.enabled is not False and wish.effort != "none"


def _instruction(text: str) -> str:
    ending = json.dumps(text[-_QUOTED_CHARACTERS:], ensure_ascii=False)
    space = (
        "White space is there already: begin with the next word."
        if text[-1:].isspace()
        else "Begin with a space only if a new word begins there."
    )
    return (
        f"Your last message was cut off after {ending}. Write what comes next, so that your first character follows "
        f"its last one directly. {space} Repeat nothing, and say nothing about this interruption."
    )
