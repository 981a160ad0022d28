"""Requests for Gemini: ``generateContent``, ``streamGenerateContent`` and ``countTokens``.

Source: https://ai.google.dev/api/generate-content, https://ai.google.dev/gemini-api/docs/thinking. The model and
whether to stream stand in the path (:func:`path_of`), not in the body. What a call wants and Gemini does not have must
have been refused or dropped before (:mod:`.knobs`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice
from pointsman.core.errors import Unsupported
from pointsman.dialects.gemini.knobs import NATIVE
from pointsman.dialects.gemini.messages import write_contents, write_system
from pointsman.dialects.gemini.schemas import write_schema
from pointsman.dialects.gemini.types import (
    FunctionCallingConfig,
    FunctionDeclaration,
    GeminiTarget,
    ThinkingConfig,
)
from pointsman.wire.json_fields import decode_field

__all__ = ["path_of", "write_count_request", "write_request"]

_encode: Final = msgspec.json.Encoder().encode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode

_CONFIG_NAMES: Final = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "stop": "stopSequences",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "max_tokens": "maxOutputTokens",
    "n": "candidateCount",
}
"""Fields of :class:`~pointsman.core.call.Sampling`, and what Gemini calls them."""

_BUDGETS: Final = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
"""Tokens of thinking for an effort: https://ai.google.dev/gemini-api/docs/openai#thinking."""

_IN_PATH: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
_MOST: Final = "high"
_LEVELS: Final = frozenset({"minimal", "low", "medium", "high"})


def path_of(target: GeminiTarget, verb: str, *, stream: bool = False) -> bytes:
    """The path below the API's version; a stream is asked for as server-sent events."""
    model = "".join(chr(byte) if byte in _IN_PATH else f"%{byte:02X}" for byte in target.model.encode())
    return f"/models/{model}:{verb}{'?alt=sse' if stream else ''}".encode()


def write_request(call: Call, target: GeminiTarget) -> bytes:
    """The body for ``generateContent`` and ``streamGenerateContent``.

    ``parallel_tool_calls: false`` has no counterpart here; the reader of the answer keeps the first call only.

    Raises:
        Malformed, Unsupported: a message, tool or schema cannot be expressed, or an extra field is of a wrong type.
    """
    return _encode(_write_fields(call, target))


def write_count_request(call: Call, target: GeminiTarget) -> bytes:
    """The body for ``countTokens``.

    Raises:
        Malformed, Unsupported: as :func:`write_request`.
    """
    fields = _write_fields(call, target)
    return _encode({"generateContentRequest": {"model": f"models/{target.model}", **fields}})


def _write_fields(call: Call, target: GeminiTarget) -> dict[str, object]:
    extra = call.extra
    config = {**_extra_fields(call, "generationConfig"), **_write_config(call, target)}
    tool_config = {**_extra_fields(call, "toolConfig"), **_write_choice(call.tool_choice, call.tools)}
    fields: dict[str, object] = {
        "systemInstruction": write_system(call.messages),
        "contents": write_contents(call.messages, target),
        "tools": _write_tools(call.tools, target) or None,
        "toolConfig": tool_config or None,
        "generationConfig": config or None,
        **{name: extra[name] for name in sorted(NATIVE - {"generationConfig", "toolConfig"}) if name in extra},
    }
    return {name: value for name, value in fields.items() if value is not None}


def _extra_fields(call: Call, name: str) -> dict[str, msgspec.Raw]:
    return (decode_field(name, call.extra[name], _decode_fields) or {}) if name in call.extra else {}


def _write_config(call: Call, target: GeminiTarget) -> dict[str, object]:
    said = {wire: getattr(call.sampling, name) for name, wire in _CONFIG_NAMES.items()}
    said |= _write_logprobs(call.sampling) | _write_format(call.response_format, target)
    said["thinkingConfig"] = _write_thinking(call.reasoning, target)
    return {name: value for name, value in said.items() if value is not None}


def _write_logprobs(sampling: Sampling) -> dict[str, object]:
    if not sampling.logprobs:
        return {}
    return {"responseLogprobs": True, "logprobs": sampling.top_logprobs or None}


def _write_format(shape: ResponseFormat | None, target: GeminiTarget) -> dict[str, object]:
    if shape is None or shape.kind == "text":
        return {}
    written: dict[str, object] = {"responseMimeType": "application/json"}
    if shape.schema is not None and target.json_schemas:
        written["responseJsonSchema"] = shape.schema
    elif shape.schema is not None:
        written["responseSchema"] = write_schema(shape.schema, "response_format.json_schema.schema")
    return written


def _write_thinking(reasoning: Reasoning | None, target: GeminiTarget) -> ThinkingConfig | None:
    """Who asks for thinking wants to see it; who asks for none gets as little as the model allows."""
    if reasoning is None:
        return None
    in_levels = target.thinks_in_levels
    if in_levels is None:
        in_levels = not target.model.startswith(("gemini-1", "gemini-2"))
    off = reasoning.effort == "none" or (reasoning.effort is None and reasoning.enabled is False)
    if in_levels:
        level = ("minimal" if "flash" in target.model else "low") if off else _level(reasoning)
        return ThinkingConfig(include_thoughts=not off, thinking_level=level)
    if off:
        return ThinkingConfig(include_thoughts=False, thinking_budget=0)
    budget = reasoning.budget_tokens
    if reasoning.effort is not None:
        budget = _BUDGETS.get(reasoning.effort, _BUDGETS[_MOST])
    return ThinkingConfig(include_thoughts=True, thinking_budget=-1 if budget is None else budget)


def _level(reasoning: Reasoning) -> str | None:
    """The word for an effort or a budget; what is harder than the hardest is the hardest."""
    if reasoning.effort is not None:
        return reasoning.effort if reasoning.effort in _LEVELS else _MOST
    budget = reasoning.budget_tokens
    if budget is None:
        return None
    return next((word for word in ("low", "medium") if budget <= _BUDGETS[word]), _MOST)


def _write_tools(tools: tuple[Tool, ...], target: GeminiTarget) -> list[object]:
    functions = [_write_function(tool, target) for tool in tools if tool.native is None]
    written: list[object] = [{"functionDeclarations": functions}] if functions else []
    for tool in tools:
        if tool.native is not None:
            if tool.dialect != "gemini":
                raise Unsupported(f"tools: Gemini does not have the tool '{tool.name[:80]}'.", param="tools")
            written.append(tool.native)
    return written


def _write_function(tool: Tool, target: GeminiTarget) -> FunctionDeclaration:
    declaration = FunctionDeclaration(name=tool.name, description=tool.description)
    if tool.parameters is None:
        return declaration
    if target.json_schemas:
        declaration.parameters_json_schema = tool.parameters
        return declaration
    schema = write_schema(tool.parameters, f"tools['{tool.name[:80]}'].parameters")
    if schema is not None:
        declaration.parameters = schema
    return declaration


def _write_choice(choice: ToolChoice | None, tools: tuple[Tool, ...]) -> dict[str, object]:
    """``VALIDATED`` holds the model to the schemas, as ``strict`` does, without making it call anything."""
    strict = any(tool.strict for tool in tools)
    mode = "auto" if choice is None and strict else None if choice is None else choice.mode
    config: FunctionCallingConfig
    match mode:
        case None:
            return {}
        case "auto":
            config = FunctionCallingConfig("VALIDATED" if strict else "AUTO")
        case "none":
            config = FunctionCallingConfig("NONE")
        case "required":
            config = FunctionCallingConfig("ANY")
        case _:
            config = FunctionCallingConfig("ANY", [choice.name or ""] if choice is not None else None)
    return {"functionCallingConfig": config}
