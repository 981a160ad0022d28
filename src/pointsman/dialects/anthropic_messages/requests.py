"""Requests: read from a client, written to an upstream.

Source: https://platform.claude.com/docs/en/api/messages/create. What the common vocabulary has no word for stays in
``Call.extra`` under its own name and is put back by :func:`write_request`; of ``output_config`` that is whatever it
holds beside ``effort`` and ``format``. What does not come back is listed in
:mod:`~pointsman.dialects.anthropic_messages.types`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.call import Call, ResponseFormat, Sampling
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.anthropic_messages.abilities import PLAIN, Abilities
from pointsman.dialects.anthropic_messages.messages import read_messages, read_system
from pointsman.dialects.anthropic_messages.reasoning import Thought, read_reasoning, write_reasoning
from pointsman.dialects.anthropic_messages.tools import read_choice, read_tools, write_choice, write_tools
from pointsman.dialects.anthropic_messages.turns import calls_without_thought, write_messages
from pointsman.dialects.anthropic_messages.types import (
    FormatFields,
    MessagesRequest,
    MetadataFields,
    TextBlock,
    ThinkingFields,
    ToolChoiceFields,
    ToolFields,
)
from pointsman.dialects.openai_fields import demand_model_name
from pointsman.wire.json_fields import read_body, read_fields

__all__ = ["read_request", "write_request"]

_decode: Final = msgspec.json.Decoder(MessagesRequest).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

_NULL: Final = msgspec.Raw(b"null")
_OBJECT: Final = ord("{")
_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(MessagesRequest))
_CONFIG_KNOWN: Final = frozenset({"effort", "format"})


class _Written(msgspec.Struct, omit_defaults=True):
    """A request for an upstream, in the order of its fields; what is None is left out."""

    model: str
    max_tokens: int
    system: str | list[TextBlock] | None = None
    messages: list[dict[str, object]] = []
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: tuple[str, ...] | None = None
    tools: list[ToolFields | msgspec.Raw] | None = None
    tool_choice: ToolChoiceFields | None = None
    thinking: ThinkingFields | None = None
    output_config: dict[str, object] | None = None
    metadata: MetadataFields | None = None


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_request(body: bytes, model: str | None = None, fields: Mapping[str, msgspec.Raw] | None = None) -> Call:
    """A client's request. ``model`` is the one that its path names, which wins over the body's.

    ``fields`` are those of the body, if they are known.

    Raises:
        Malformed: a field is missing or of a wrong type or value; ``param`` is its path, ``messages[3].content``.
        Unsupported: content that cannot be told to anybody else.
    """
    fields = read_fields(body) if fields is None else fields
    request = read_body(body, _decode)
    name = model if model is not None else request.model
    if name is None:
        raise Malformed("model is required.", param="model")
    demand_model_name(name)
    tools = read_tools(request.tools) if request.tools else ()
    choice, parallel = read_choice(request.tool_choice, tools)
    return Call(
        model=name,
        messages=read_system(request.system) + read_messages(request.messages),
        sampling=_read_sampling(request),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        response_format=_read_format(request),
        reasoning=read_reasoning(request.thinking, request.output_config),
        stream=request.stream or False,
        include_usage=True,
        user=(request.metadata.user_id or None) if request.metadata is not None else None,
        extra=_read_extra(fields),
    )


def _read_sampling(request: MessagesRequest) -> Sampling:
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=tuple(request.stop_sequences or ()) or None,
        max_tokens=request.max_tokens,
    )


def _read_format(request: MessagesRequest) -> ResponseFormat | None:
    config = request.output_config
    place, shape = "output_config.format", None if config is None else config.format
    if shape is None:
        place, shape = "output_format", request.output_format
    if shape is None:
        return None
    if memoryview(shape.schema)[0] != _OBJECT:
        raise Malformed(f"{place}.schema must be an object.", param=f"{place}.schema")
    return ResponseFormat("json_schema", schema=shape.schema)


def _read_extra(fields: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    if "output_config" not in fields and fields.keys() <= _KNOWN:
        return {}
    extra = {key: raw for key, raw in fields.items() if key not in _KNOWN and raw != _NULL}
    config = fields.get("output_config", _NULL)
    if config != _NULL:
        rest = {key: raw for key, raw in _decode_fields(config).items() if key not in _CONFIG_KNOWN and raw != _NULL}
        if rest:
            extra["output_config"] = msgspec.Raw(_encode(rest))
    return extra


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_request(
    call: Call, model: str, *, output_tokens_max: int | None = None, abilities: Abilities = PLAIN
) -> bytes:
    """The request for an upstream.

    Args:
        call: What the client wants.
        model: The upstream's name for the model.
        output_tokens_max: The most that the model can say; the bound where the client has none, since Anthropic
            demands one. None: nobody knows.
        abilities: What the model can do beyond the common.

    Raises:
        Malformed: a tool call's arguments are not a JSON object, or there is nothing to answer.
        Unsupported: content or a shape of the answer that Anthropic, or this model, does not know.

    Where tools were called and the reasoning before that did not come back with its signature, as many clients cannot
    keep it, this turn goes on without reasoning: Anthropic refuses anything else.
    """
    sampling = call.sampling
    system, messages = write_messages(call.messages, system_turns=abilities.system_turns)
    thought = write_reasoning(call.reasoning, sampling.max_tokens, output_tokens_max, abilities)
    if thought.thinking is not None and thought.thinking.type == "enabled" and calls_without_thought(messages):
        thought = msgspec.structs.replace(thought, thinking=None)
    written = _Written(
        model,
        thought.max_tokens,
        _write_system(system),
        messages,
        stream=True if call.stream else None,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k if sampling.top_k is not None and sampling.top_k >= 0 else None,
        stop_sequences=sampling.stop,
        tools=write_tools(call.tools) if call.tools else None,
        tool_choice=write_choice(call),
        thinking=thought.thinking,
        output_config=_write_config(call, thought, abilities),
        metadata=None if call.user is None else MetadataFields(call.user),
    )
    return _encode(_with_extra(written, call.extra) if call.extra else written)


def _with_extra(written: _Written, extra: dict[str, msgspec.Raw]) -> dict[str, object]:
    """The request with fields that the common vocabulary has no word for."""
    told = {name: value for name, value in msgspec.structs.asdict(written).items() if value is not None}
    return told | {name: raw for name, raw in extra.items() if name not in _KNOWN}


def _write_system(blocks: list[TextBlock]) -> str | list[TextBlock] | None:
    if len(blocks) == 1 and blocks[0].cache_control is msgspec.UNSET:
        return blocks[0].text
    return blocks or None


def _write_config(call: Call, thought: Thought, abilities: Abilities) -> dict[str, object] | None:
    if thought.effort is None and call.response_format is None and "output_config" not in call.extra:
        return None
    config: dict[str, object] = {}
    rest = call.extra.get("output_config")
    if rest is not None and memoryview(rest)[0] == _OBJECT:
        config |= _decode_fields(rest)
    if thought.effort is not None:
        config["effort"] = thought.effort
    shape = _write_format(call.response_format, abilities)
    if shape is not None:
        config["format"] = shape
    return config or None


def _write_format(shape: ResponseFormat | None, abilities: Abilities) -> FormatFields | None:
    if shape is None or shape.kind == "text":
        return None
    if shape.kind == "json_object" or not abilities.json_schema:
        raise Unsupported(f"response_format of type {shape.kind} is not known to this model.", param="response_format")
    if shape.schema is None:
        raise Malformed("response_format.json_schema.schema is required.", param="response_format.json_schema.schema")
    return FormatFields(shape.schema)
