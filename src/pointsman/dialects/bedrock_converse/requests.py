"""Requests for an upstream.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html. Whether the answer is
streamed is said by the path, and the model is named there, too.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import Thinking, ToolCall
from pointsman.core.errors import Malformed
from pointsman.dialects.bedrock_converse.abilities import Abilities
from pointsman.dialects.bedrock_converse.knobs import NATIVE
from pointsman.dialects.bedrock_converse.names import ToolNames
from pointsman.dialects.bedrock_converse.reasoning import Thought, is_wanted, write_reasoning
from pointsman.dialects.bedrock_converse.schemas import closed_schema
from pointsman.dialects.bedrock_converse.tools import offers_tools, write_tools
from pointsman.dialects.bedrock_converse.turns import TurnWriter
from pointsman.dialects.bedrock_converse.types import (
    ConverseRequest,
    InferenceConfig,
    OutputConfig,
    SchemaFields,
    SchemaStructure,
    TextFormat,
)
from pointsman.dialects.signatures import ANTHROPIC, is_from

__all__ = ["write_request"]

_encode: Final = msgspec.json.Encoder().encode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode

_WRITTEN_HERE: Final = frozenset({
    "additionalModelRequestFields", "additionalModelResponseFieldPaths", "outputConfig", "service_tier",
})  # fmt: skip
_TIERS: Final = frozenset({"default", "flex", "priority", "reserved"})
"""Other values of ``service_tier`` are another provider's; a hint on speed and price either way."""

_STOP_PATH: Final = "/stop_sequence"
_THINKING_PATH: Final = "/usage/output_tokens_details"


def write_request(call: Call, abilities: Abilities, *, output_tokens_max: int | None = None) -> bytes:
    """The request.

    Args:
        call: What the client wants, after :func:`~pointsman.dialects.bedrock_converse.knobs.refuse_or_drop`.
        abilities: What the model can do.
        output_tokens_max: The most that the model can say, reasoning included. None: nobody knows.

    Raises:
        Malformed: a tool call's arguments are not a JSON object, or there is nothing to answer.
        Unsupported: content that Bedrock does not know.
    """
    if abilities.thinks == "budget" and _lost_thoughts(call):
        call = msgspec.structs.replace(call, reasoning=None)
    names = ToolNames.of(call)
    turns = TurnWriter(abilities, names, with_tools=offers_tools(call))
    system, messages = turns.write(call.messages)
    thought = write_reasoning(call.reasoning, call.sampling.max_tokens, abilities, output_tokens_max)
    request = ConverseRequest(
        messages=messages,
        system=system or None,
        inference_config=_write_config(call, thought),
        tool_config=write_tools(call, abilities, names),
        output_config=call.extra.get("outputConfig") or _write_output(call, abilities),
        additional_model_request_fields=_write_model_fields(call, abilities, thought) or None,
        additional_model_response_field_paths=call.extra.get("additionalModelResponseFieldPaths")
        or _write_paths(call, abilities),
    )
    body = _encode(request)
    native = {name: raw for name, raw in call.extra.items() if name in NATIVE - _WRITTEN_HERE}
    tier = _tier(call)
    if tier is not None and "serviceTier" not in native:
        native["serviceTier"] = msgspec.Raw(_encode({"type": tier}))
    return _encode(_decode_fields(body) | native) if native else body


def _lost_thoughts(call: Call) -> bool:
    """Whether the thoughts before the last calls of tools did not come back, as with most clients of other dialects.

    Claude refuses to think about a tool's answer without them; it goes on without thinking.
    """
    last = next((turn for turn in reversed(call.messages) if turn.role == "assistant"), None)
    if last is None or not any(isinstance(part, ToolCall) for part in last.parts):
        return False
    return not any(isinstance(part, Thinking) and is_from(part, ANTHROPIC) for part in last.parts)


def _write_config(call: Call, thought: Thought) -> InferenceConfig | None:
    sampling = call.sampling
    config = InferenceConfig(thought.max_tokens, sampling.temperature, sampling.top_p, sampling.stop)
    return None if config == InferenceConfig() else config


def _write_output(call: Call, abilities: Abilities) -> OutputConfig | None:
    shape = call.response_format
    if shape is None or shape.kind != "json_schema" or not abilities.json_schema:
        return None
    if shape.schema is None:
        raise Malformed("response_format.json_schema.schema is required.", param="response_format.json_schema.schema")
    fields = SchemaFields(closed_schema(shape.schema), shape.name)
    return OutputConfig(TextFormat("json_schema", SchemaStructure(fields)))


def _write_model_fields(call: Call, abilities: Abilities, thought: Thought) -> dict[str, object]:
    """What is the model's own: what the client or the operator says outright wins."""
    fields: dict[str, object] = dict(thought.fields)
    top_k = call.sampling.top_k
    if top_k is not None:
        fields |= {"inferenceConfig": {"topK": top_k}} if abilities.family == "nova" else {"top_k": top_k}
    if call.parallel_tool_calls is False and abilities.serial_tools and offers_tools(call):
        # Beside toolConfig.toolChoice a type is refused, and without one it is demanded.
        kind = {"type": "auto"} if call.tool_choice is None else {}
        fields["tool_choice"] = {**kind, "disable_parallel_tool_use": True}
    for name, raw in call.extra.items():
        if name not in NATIVE | _WRITTEN_HERE:
            fields[name] = _merged(fields.get(name), raw)
    outright = call.extra.get("additionalModelRequestFields")
    if outright is not None:
        try:
            fields |= _decode_fields(outright)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            place = "additionalModelRequestFields"
            raise Malformed(f"{place} must be an object.", param=place) from None
    return fields


def _merged(written: object, raw: msgspec.Raw) -> object:
    """What was said outright, with the fields that it leaves open."""
    if not isinstance(written, dict):
        return raw
    try:
        return {**written, **_decode_fields(raw)}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return raw


def _write_paths(call: Call, abilities: Abilities) -> list[str] | None:
    """What Claude says beyond the common, and tells only if asked."""
    if abilities.family != "claude":
        return None
    paths = [_STOP_PATH] if call.sampling.stop else []
    return [*paths, _THINKING_PATH] if is_wanted(call.reasoning) else paths or None


def _tier(call: Call) -> str | None:
    raw = call.extra.get("service_tier")
    if raw is None:
        return None
    try:
        tier = _decode_text(raw)
    except msgspec.MsgspecError:
        return None
    return tier if tier in _TIERS else None
