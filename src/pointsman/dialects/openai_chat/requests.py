"""Chat requests: read from a client, written to an upstream.

What the common vocabulary has no word for stays in ``Call.extra`` under its own name and is put back by
:func:`write_request`. Two things do not come back as they were: the deprecated ``functions`` and ``function_call``
become tools, and a JSON Schema without a name, which OpenAI refuses, gets one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling
from pointsman.core.errors import Malformed
from pointsman.dialects.custom_tools import custom_names
from pointsman.dialects.openai_chat.messages import read_messages, write_messages
from pointsman.dialects.openai_chat.tools import DIALECT, read_tools, write_choice, write_tool
from pointsman.dialects.openai_chat.types import (
    ChatRequest,
    JsonSchema,
    NamedChoice,
    ReasoningFields,
    ResponseFormatFields,
    StreamOptions,
    ThinkingFields,
    ToolFields,
    WireMessage,
)
from pointsman.dialects.openai_fields import demand_model_name, read_stop
from pointsman.wire.json_fields import read_body, read_fields

__all__ = [
    "LimitField",
    "read_request",
    "write_request",
]

_decode: Final = msgspec.json.Decoder(ChatRequest).decode
_encode: Final = msgspec.json.Encoder().encode

_NULL: Final = msgspec.Raw(b"null")
_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(ChatRequest))
_SCHEMA_NAME: Final = "answer"

LimitField = Literal["max_tokens", "max_completion_tokens"]


class _Written(msgspec.Struct, omit_defaults=True):
    """A request for an upstream, in the order of its fields; what is None is left out."""

    model: str
    messages: list[WireMessage]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    stop: tuple[str, ...] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logit_bias: msgspec.Raw | None = None
    tools: list[ToolFields | msgspec.Raw] | None = None
    tool_choice: str | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormatFields | None = None
    reasoning_effort: str | None = None
    thinking: ThinkingFields | None = None
    reasoning: ReasoningFields | None = None
    user: str | None = None


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


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
    tools, choice = read_tools(request)
    return Call(
        model=name,
        messages=read_messages(request.messages),
        sampling=_read_sampling(request, fields),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=request.parallel_tool_calls,
        response_format=_read_response_format(request.response_format),
        reasoning=_read_reasoning(request),
        stream=request.stream or False,
        include_usage=request.stream_options is not None and bool(request.stream_options.include_usage),
        user=request.user or None,
        extra=_read_extra(fields),
    )


def _read_extra(fields: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    if fields.keys() <= _KNOWN:
        return {}
    return {key: raw for key, raw in fields.items() if key not in _KNOWN and raw != _NULL}


def _read_sampling(request: ChatRequest, fields: Mapping[str, msgspec.Raw]) -> Sampling:
    if request.top_logprobs and not request.logprobs:
        raise Malformed("top_logprobs goes with logprobs: true.", param="top_logprobs")
    limit = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        min_p=request.min_p,
        seed=request.seed,
        stop=read_stop(request.stop),
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        max_tokens=None if limit == -1 else limit,
        n=request.n,
        logprobs=request.logprobs,
        top_logprobs=request.top_logprobs,
        logit_bias=fields["logit_bias"] if request.logit_bias is not None else None,
    )


def _read_response_format(fields: ResponseFormatFields | None) -> ResponseFormat | None:
    if fields is None:
        return None
    if fields.type != "json_schema":
        return ResponseFormat(fields.type)
    place = "response_format.json_schema"
    if fields.json_schema is None:
        raise Malformed(f"{place} is required.", param=place)
    schema = fields.json_schema.schema
    if isinstance(schema, msgspec.Raw) and memoryview(schema)[0] != ord("{"):
        raise Malformed(f"{place}.schema must be an object.", param=f"{place}.schema")
    return ResponseFormat(
        "json_schema",
        name=fields.json_schema.name,
        schema=schema if isinstance(schema, msgspec.Raw) else None,
        strict=fields.json_schema.strict,
        description=fields.json_schema.description,
    )


def _read_reasoning(request: ChatRequest) -> Reasoning | None:
    """The three ways of asking for reasoning as one; what is said in the first of them counts."""
    effort = request.reasoning_effort
    if effort is None and request.reasoning is None and request.thinking is None:
        return None
    named = ReasoningFields(effort) if isinstance(effort, str) else effort
    ways = [fields for fields in (named, request.reasoning) if fields is not None]
    words = [fields.effort for fields in ways if fields.effort is not None and fields.effort != "default"]
    budgets = [fields.max_tokens for fields in ways if fields.max_tokens is not None]
    switches = [fields.enabled for fields in ways if fields.enabled is not None]
    thinking = request.thinking
    if thinking is not None:
        switches.append(thinking.type != "disabled")
        if thinking.budget_tokens is not None:
            budgets.append(thinking.budget_tokens)
    reasoning = Reasoning(
        effort=words[0] if words else None,
        budget_tokens=budgets[0] if budgets else None,
        enabled=switches[0] if switches else None,
    )
    return None if reasoning == Reasoning() else reasoning


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def write_request(
    call: Call, model: str, *, include_usage: bool | None = None, limit_field: LimitField = "max_tokens"
) -> bytes:
    """The request for an upstream.

    Args:
        call: What the client wants.
        model: The upstream's name for the model.
        include_usage: Whether a stream shall end with the counts; None: as the client said.
        limit_field: What the upstream calls the bound on the answer. Local servers all know ``max_tokens``;
            OpenAI's reasoning models only know ``max_completion_tokens``.

    Raises:
        Unsupported: a role cannot have a part that it has.
    """
    sampling, tools = call.sampling, call.tools
    customs = custom_names(tools, DIALECT)
    written = _Written(
        model,
        write_messages(call.messages, customs),
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        seed=sampling.seed,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        n=sampling.n,
        logprobs=sampling.logprobs,
        top_logprobs=sampling.top_logprobs,
        stop=sampling.stop,
        logit_bias=sampling.logit_bias,
        parallel_tool_calls=call.parallel_tool_calls,
        user=call.user,
    )
    if limit_field == "max_tokens":
        written.max_tokens = sampling.max_tokens
    else:
        written.max_completion_tokens = sampling.max_tokens
    if call.stream:
        written.stream = True
        usage = call.include_usage if include_usage is None else include_usage
        written.stream_options = StreamOptions(include_usage=True) if usage else None
    if tools:
        written.tools = [write_tool(tool) for tool in tools]
    if call.tool_choice is not None:
        written.tool_choice = write_choice(call.tool_choice, customs)
    if call.response_format is not None:
        written.response_format = _write_response_format(call.response_format)
    if call.reasoning is not None:
        _write_reasoning(call.reasoning, written)
    return _encode(_with_extra(written, call.extra) if call.extra else written)


def _with_extra(written: _Written, extra: dict[str, msgspec.Raw]) -> dict[str, object]:
    """The request with fields that the common vocabulary has no word for."""
    said = {name: value for name, value in msgspec.structs.asdict(written).items() if value is not None}
    return said | {name: raw for name, raw in extra.items() if name not in _KNOWN}


def _write_response_format(shape: ResponseFormat) -> ResponseFormatFields:
    if shape.kind != "json_schema":
        return ResponseFormatFields(shape.kind)
    schema = msgspec.UNSET if shape.schema is None else shape.schema
    return ResponseFormatFields(
        "json_schema", JsonSchema(shape.name or _SCHEMA_NAME, schema, shape.strict, shape.description)
    )


def _write_reasoning(reasoning: Reasoning, written: _Written) -> None:
    written.reasoning_effort = reasoning.effort
    if reasoning.enabled is not None:
        kind: Literal["enabled", "disabled"] = "enabled" if reasoning.enabled else "disabled"
        written.thinking = ThinkingFields(kind, reasoning.budget_tokens)
    elif reasoning.budget_tokens is not None:
        written.reasoning = ReasoningFields(max_tokens=reasoning.budget_tokens)
