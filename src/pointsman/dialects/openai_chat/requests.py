"""Chat requests: read from a client, written to an upstream.

What the common vocabulary has no word for stays in ``Call.extra`` under its own name and is put back by
:func:`write_request`. Two things do not come back as they were: the deprecated ``functions`` and ``function_call``
become tools, and a JSON Schema without a name, which OpenAI refuses, gets one.
"""

from __future__ import annotations

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
    ReasoningFields,
    ResponseFormatFields,
    StreamOptions,
    ThinkingFields,
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
_SAME_NAME: Final = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "n",
    "logprobs",
    "top_logprobs",
)
"""Fields of :class:`~pointsman.core.call.Sampling` that are called the same here."""

_SCHEMA_NAME: Final = "answer"

LimitField = Literal["max_tokens", "max_completion_tokens"]

# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def read_request(body: bytes, model: str | None = None) -> Call:
    """A client's request. ``model`` is the one that its path names, which wins over the body's.

    Raises:
        Malformed: a field is missing or of a wrong type or value; ``param`` is its path, ``messages[3].content``.
        Unsupported: content that cannot be told to anybody else.
    """
    fields = read_fields(body)
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
        extra={key: raw for key, raw in fields.items() if key not in _KNOWN and raw != _NULL},
    )


def _read_sampling(request: ChatRequest, fields: dict[str, msgspec.Raw]) -> Sampling:
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
    usage = call.include_usage if include_usage is None else include_usage
    customs = custom_names(call.tools, DIALECT)
    fields: dict[str, object] = {
        "model": model,
        "messages": write_messages(call.messages, customs),
        "stream": True if call.stream else None,
        "stream_options": StreamOptions(include_usage=True) if usage and call.stream else None,
        **{name: getattr(call.sampling, name) for name in _SAME_NAME},
        "stop": call.sampling.stop,
        limit_field: call.sampling.max_tokens,
        "logit_bias": call.sampling.logit_bias,
        "tools": [write_tool(tool) for tool in call.tools] or None,
        "tool_choice": write_choice(call.tool_choice, customs),
        "parallel_tool_calls": call.parallel_tool_calls,
        "response_format": _write_response_format(call.response_format),
        **_write_reasoning(call.reasoning),
        "user": call.user,
    }
    said = {name: value for name, value in fields.items() if value is not None}
    return _encode(said | {name: raw for name, raw in call.extra.items() if name not in _KNOWN})


def _write_response_format(shape: ResponseFormat | None) -> ResponseFormatFields | None:
    if shape is None:
        return None
    if shape.kind != "json_schema":
        return ResponseFormatFields(shape.kind)
    schema = msgspec.UNSET if shape.schema is None else shape.schema
    return ResponseFormatFields(
        "json_schema", JsonSchema(shape.name or _SCHEMA_NAME, schema, shape.strict, shape.description)
    )


def _write_reasoning(reasoning: Reasoning | None) -> dict[str, object]:
    if reasoning is None:
        return {}
    fields: dict[str, object] = {"reasoning_effort": reasoning.effort}
    if reasoning.enabled is not None:
        kind: Literal["enabled", "disabled"] = "enabled" if reasoning.enabled else "disabled"
        fields["thinking"] = ThinkingFields(kind, reasoning.budget_tokens)
    elif reasoning.budget_tokens is not None:
        fields["reasoning"] = ReasoningFields(max_tokens=reasoning.budget_tokens)
    return fields
