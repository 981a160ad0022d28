"""Responses requests: read from a client, written to an upstream.

Source: https://platform.openai.com/docs/api-reference/responses/create.

What the common vocabulary has no word for stays in ``Call.extra`` under its own name; ``text.verbosity`` stays there as
``verbosity``, as Chat Completions calls it. What is for the server to do is not there but in
:class:`~pointsman.dialects.openai_responses.response.ResponseRequest`: whether to store the response, what it
continues, what to include in it, its metadata.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling
from pointsman.core.content import Message, Text
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.custom_tools import custom_names
from pointsman.dialects.openai_fields import demand_model_name, read_stop
from pointsman.dialects.openai_responses.items import read_input, write_input
from pointsman.dialects.openai_responses.response import ResponseRequest, read_response_request
from pointsman.dialects.openai_responses.tools import (
    DIALECT,
    read_additional_tools,
    read_choice,
    read_tools,
    write_choice,
    write_tool,
)
from pointsman.dialects.openai_responses.types import ResponsesRequest, TextFormat
from pointsman.wire.json_fields import read_body, read_fields

__all__ = ["ResponseRequest", "read_request", "read_response_request", "write_request"]

_decode: Final = msgspec.json.Decoder(ResponsesRequest).decode
_encode: Final = msgspec.json.Encoder().encode

_NULL: Final = msgspec.Raw(b"null")
_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(ResponsesRequest))
_SAME_NAME: Final = ("temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty")
"""Fields of :class:`~pointsman.core.call.Sampling` that are called the same here."""

_LOGPROBS: Final = "message.output_text.logprobs"
_ENCRYPTED: Final = "reasoning.encrypted_content"

# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def read_request(body: bytes, model: str | None = None, *, history: tuple[Message, ...] = ()) -> Call:
    """A client's request. ``model`` is the one that its path names, which wins over the body's.

    ``history`` is the conversation that it continues; the instructions come before it.

    Raises:
        Malformed: a field is missing or of a wrong type or value; ``param`` is its path, ``input[2].content[0]``.
        Unsupported: an item of the input is of a type that has no counterpart, or a stored prompt is named.
    """
    fields = read_fields(body)
    request = read_body(body, _decode)
    name = model if model is not None else request.model
    if name is None:
        raise Malformed("model is required.", param="model")
    demand_model_name(name)
    if fields.get("prompt", _NULL) != _NULL:
        raise Unsupported("prompt: prompts that are stored at OpenAI cannot be resolved here.", param="prompt")
    tools = read_tools(request.tools) + read_additional_tools(request.input)
    tools, choice = read_choice(tools, request.tool_choice)
    return Call(
        model=name,
        messages=_read_messages(request, history),
        sampling=_read_sampling(request),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=request.parallel_tool_calls,
        response_format=_read_format(None if request.text is None else request.text.format),
        reasoning=_read_reasoning(request),
        stream=request.stream or False,
        include_usage=True,
        user=request.user or None,
        extra=_read_extra(request, fields),
    )


def _read_messages(request: ResponsesRequest, history: tuple[Message, ...]) -> tuple[Message, ...]:
    instructions = (Message("system", (Text(request.instructions),)),) if request.instructions else ()
    messages = history + read_input(request.input)
    if not messages:
        rule = "is required" if request.input is None else "must not be empty"
        raise Malformed(f"input {rule}.", param="input")
    return instructions + messages


def _read_sampling(request: ResponsesRequest) -> Sampling:
    limit = request.max_output_tokens
    wants_logprobs = bool(request.top_logprobs) or _LOGPROBS in (request.include or ())
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
        logprobs=True if wants_logprobs else None,
        top_logprobs=request.top_logprobs if wants_logprobs else None,
    )


def _read_format(fields: TextFormat | None) -> ResponseFormat | None:
    if fields is None:
        return None
    if fields.type != "json_schema":
        return ResponseFormat(fields.type)
    schema = fields.schema
    if not isinstance(schema, msgspec.Raw):
        raise Malformed("text.format.schema is required.", param="text.format.schema")
    if memoryview(schema)[0] != ord("{"):
        raise Malformed("text.format.schema must be an object.", param="text.format.schema")
    return ResponseFormat("json_schema", fields.name, schema, fields.strict, fields.description)


def _read_reasoning(request: ResponsesRequest) -> Reasoning | None:
    """Only an effort asks for reasoning; a wish for its summary does not."""
    effort = None if request.reasoning is None else request.reasoning.effort
    return None if effort is None or effort == "default" else Reasoning(effort)


def _read_extra(request: ResponsesRequest, fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    extra = {key: raw for key, raw in fields.items() if key not in _KNOWN and raw != _NULL}
    if request.text is not None and request.text.verbosity is not None:
        extra["verbosity"] = msgspec.Raw(_encode(request.text.verbosity))
    if request.truncation == "auto":
        # What "disabled" asks for is what everybody does who is not asked.
        extra["truncation"] = fields["truncation"]
    return extra


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def write_request(
    call: Call, model: str, request: ResponseRequest | None = None, *, reasons: bool | None = None
) -> bytes:
    """The request for an upstream, which is told not to store: conversations are kept here, if at all.

    Args:
        call: What the client wants.
        model: The upstream's name for the model.
        request: What the client said beside that, where it speaks this dialect too.
        reasons: Whether the model reasons; None: it does where reasoning is asked for.

    Raises:
        Unsupported: a role cannot have a part that it has, or this dialect has no word for a tool or a knob.
    """
    if call.sampling.n is not None and call.sampling.n > 1:
        raise Unsupported("n: OpenAI's Responses API gives one answer at a time.", param="n")
    if call.sampling.logit_bias is not None and call.sampling.logit_bias != msgspec.Raw(b"{}"):
        raise Unsupported("logit_bias: OpenAI's Responses API does not have it.", param="logit_bias")
    instructions, messages = _split_instructions(call.messages)
    fields: dict[str, object] = {
        "model": model,
        "instructions": instructions,
        "input": write_input(messages, custom_names(call.tools, DIALECT)),
        "stream": True if call.stream else None,
        "store": False,
        "include": _write_include(call, request, reasons=call.reasoning is not None if reasons is None else reasons)
        or None,
        **{name: getattr(call.sampling, name) for name in _SAME_NAME},
        "stop": call.sampling.stop,
        "max_output_tokens": call.sampling.max_tokens,
        "top_logprobs": call.sampling.top_logprobs,
        "tools": [write_tool(tool) for tool in call.tools] or None,
        "tool_choice": write_choice(call.tool_choice, call.tools),
        "parallel_tool_calls": call.parallel_tool_calls,
        "text": _write_text(call) or None,
        "reasoning": _write_reasoning(call.reasoning, request) or None,
        "user": call.user,
        "metadata": (request.metadata or None) if request is not None else None,
    }
    said = {name: value for name, value in fields.items() if value is not None}
    rest = {name: raw for name, raw in call.extra.items() if name not in said and name != "verbosity"}
    return _encode(said | rest)


def _split_instructions(messages: tuple[Message, ...]) -> tuple[str | None, tuple[Message, ...]]:
    """A leading system message of one text as ``instructions``, and the rest."""
    first = messages[0] if messages else None
    if first is not None and first.role == "system" and len(first.parts) == 1 and isinstance(first.parts[0], Text):
        return first.parts[0].text, messages[1:]
    return None, messages


def _write_include(call: Call, request: ResponseRequest | None, *, reasons: bool) -> list[str]:
    """What to include: what the client named, log probabilities, and the reasoning in a form that can come back.

    The last only of models that reason, since others refuse that.
    """
    include = list(request.include) if request is not None else []
    if call.sampling.logprobs:
        include.append(_LOGPROBS)
    if reasons:
        include.append(_ENCRYPTED)
    return list(dict.fromkeys(include))


def _write_text(call: Call) -> dict[str, object]:
    text: dict[str, object] = {}
    shape = call.response_format
    if shape is not None:
        fields = TextFormat(shape.kind)
        if shape.kind == "json_schema":
            schema = msgspec.UNSET if shape.schema is None else shape.schema
            fields = TextFormat(shape.kind, shape.name or "answer", schema, shape.strict, shape.description)
        text["format"] = fields
    if "verbosity" in call.extra:
        text["verbosity"] = call.extra["verbosity"]
    return text


_EFFORTS: Final = ((1024, "low"), (8192, "medium"))
"""Up to so many tokens of thinking count as such an effort, anything above as ``high``."""


def _write_reasoning(reasoning: Reasoning | None, request: ResponseRequest | None) -> dict[str, object]:
    fields: dict[str, object] = {}
    if reasoning is not None:
        effort = reasoning.effort
        if effort is None and reasoning.enabled is False:
            effort = "none"
        if effort is None and reasoning.budget_tokens is not None:
            budget = reasoning.budget_tokens
            effort = next((word for most, word in _EFFORTS if budget <= most), "high")
        if effort is not None:
            fields["effort"] = effort
    if request is not None and request.summary is not None:
        fields["summary"] = request.summary
    return fields
