"""Says in the client's words what an upstream's dialect refuses: the fields that it sent, not what they became here.

The far side knows a request as a call (:mod:`pointsman.core.call`), whose messages and fields have OpenAI's names and
an order of their own: a system prompt is a message there, and results of tools are. Only where something is refused is
it worth finding out which field of the client's that was, by reading the request again with less and less of it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import Message
from pointsman.core.errors import GatewayError, Refused
from pointsman.core.upstream import Ask, Operation

__all__ = ["in_own_words"]

_Json = dict[str, Any]

_PLACE: Final = re.compile(r"messages\[(\d{1,6})\](?:\.content\[(\d{1,6})\])?")
_SEARCHED_BYTES_MAX: Final = 1024 * 1024
"""Longer requests are not read again and again: of them only the list is named."""
_INSTRUCTIONS: Final = frozenset({"system", "developer"})


class _Words(msgspec.Struct, frozen=True):
    """A client's names: its list of messages, the lists that can stand in one, and what it calls OpenAI's fields."""

    messages: str
    parts: tuple[str, ...]
    fields: Mapping[str, str] = MappingProxyType({})


_GEMINI: Final = _Words(
    "contents",
    ("parts",),
    MappingProxyType({
        **{
            name: f"generationConfig.{own}"
            for name, own in {
                "temperature": "temperature", "top_p": "topP", "top_k": "topK", "n": "candidateCount", "seed": "seed",
                "stop": "stopSequences", "max_completion_tokens": "maxOutputTokens", "logprobs": "responseLogprobs",
                "top_logprobs": "logprobs", "frequency_penalty": "frequencyPenalty",
                "presence_penalty": "presencePenalty", "response_format": "responseSchema",
                "reasoning_effort": "thinkingConfig", "thinking": "thinkingConfig", "modalities": "responseModalities",
            }.items()
        },
        "tool_choice": "toolConfig.functionCallingConfig",
    }),
)  # fmt: skip
_OLLAMA: Final = _Words(
    "messages",
    ("images", "tool_calls"),
    MappingProxyType(
        {
            **{
                name: f"options.{name}"
                for name in ("temperature", "top_p", "top_k", "seed", "stop", "frequency_penalty", "presence_penalty")
            },
            "max_completion_tokens": "options.num_predict",
            "response_format": "format",
            "reasoning_effort": "think",
            "thinking": "think",
        }
    ),
)
_WORDS: Final[Mapping[Operation, _Words]] = MappingProxyType({
    Operation.CHAT: _Words("messages", ("content", "tool_calls")),
    Operation.MESSAGES: _Words(
        "messages",
        ("content",),
        MappingProxyType({
            "stop": "stop_sequences",
            "max_completion_tokens": "max_tokens",
            "reasoning_effort": "thinking",
            "response_format": "output_config.format",
            "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        }),
    ),
    Operation.RESPONSES: _Words(
        "input",
        ("content", "output", "summary"),
        MappingProxyType({
            "max_completion_tokens": "max_output_tokens",
            "reasoning_effort": "reasoning.effort",
            "response_format": "text.format",
            "verbosity": "text.verbosity",
        }),
    ),
    Operation.GEMINI_CHAT: _GEMINI,
    Operation.GEMINI_STREAM: _GEMINI,
    Operation.GEMINI_ARRAY_STREAM: _GEMINI,
    Operation.OLLAMA_CHAT: _OLLAMA,
})  # fmt: skip


def in_own_words(error: GatewayError, ask: Ask, read: Callable[[Ask], Call]) -> GatewayError:
    """The error with the client's names of what is wrong, where they can be found out.

    Args:
        error: What the far side, or the lane, says of a call.
        ask: The request; one that could not even be read has the client's names already.
        read: Reads a request as a call.
    """
    words = _WORDS.get(ask.operation)
    if words is None or ask.call is None or not isinstance(error, Refused):
        return error
    found = _PLACE.match(error.param or "")
    if found is not None:
        part = None if found[2] is None else int(found[2])
        place = _place(words, ask, read, int(found[1]), part) or words.messages
        error.message = error.message.replace(found[0], place)
        error.param = place
    elif words.fields:
        error.message = _renamed(error.message, words.fields)
        error.param = error.param and _renamed(error.param, words.fields)
    error.args = (error.message,)
    return error


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """The text with fields renamed, but not in the names of other fields or in quotes."""
    return re.sub(r"(?<![\w.'\"-])[a-z_]+(?![\w.'\"\[-])", lambda word: names.get(word[0], word[0]), text)


def _place(words: _Words, ask: Ask, read: Callable[[Ask], Call], message: int, part: int | None) -> str | None:
    """Where the client wrote a part of a message, or the message (``part`` is None)."""
    try:
        raw = ask.fields[words.messages]
        listed = msgspec.json.decode(raw, type=list[_Json]) if len(bytes(raw)) <= _SEARCHED_BYTES_MAX else []
    except (KeyError, msgspec.MsgspecError):
        return None

    def messages_of(shown: list[_Json]) -> tuple[Message, ...]:
        fields = {**ask.fields, words.messages: msgspec.Raw(msgspec.json.encode(shown))}
        try:
            return read(msgspec.structs.replace(ask, fields=fields, call=None)).messages
        except GatewayError:
            return ()

    def reaches(shown: list[_Json]) -> bool:
        messages = messages_of(shown)
        return len(messages) > message and len(messages[message].parts) > (part or 0)

    sent = () if ask.call is None else ask.call.messages
    if len(messages_of(listed)) != len(sent) or reaches([]) or not reaches(listed):
        return None  # it is not in the list, or the lane has put in messages of its own
    index = bisect_left(range(1, len(listed)), 1, key=lambda count: reaches(listed[:count]))
    before, item = listed[:index], listed[index]
    if sent[message].role in _INSTRUCTIONS and item.get("role") not in _INSTRUCTIONS:
        return None
    place = f"{words.messages}[{index}]"
    for name in words.parts if part is not None else ():
        inner = item.get(name)
        if isinstance(inner, list) and inner and not reaches([*before, {**item, name: []}]):
            shown = partial(_with_fewer, before, item, name)
            return f"{place}.{name}[{bisect_left(range(1, len(inner)), 1, key=lambda count: reaches(shown(count)))}]"
    return place


def _with_fewer(before: list[_Json], item: _Json, name: str, count: int) -> list[_Json]:
    """The list up to a message that has only the first of its parts."""
    return [*before, {**item, name: item[name][:count]}]
