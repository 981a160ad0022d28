"""Requests for Gemini: ``generateContent`` and ``streamGenerateContent``.

Source: https://ai.google.dev/api/generate-content, https://ai.google.dev/gemini-api/docs/thinking. The model and
whether to stream stand in the path (:func:`path_of`), not in the body. What a call wants and Gemini does not have must
have been refused or dropped before (:mod:`.knobs`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, ResponseFormat, Sampling, Tool, ToolChoice
from pointsman.core.errors import Unsupported
from pointsman.dialects.gemini.knobs import NATIVE
from pointsman.dialects.gemini.messages import write_contents, write_system
from pointsman.dialects.gemini.schemas import write_schema
from pointsman.dialects.gemini.thinking import write_thinking
from pointsman.dialects.gemini.types import FunctionCallingConfig, FunctionDeclaration, GeminiTarget
from pointsman.wire.json_fields import decode_field
from pointsman.wire.model_paths import demand_no_steps

__all__ = ["path_of", "write_request"]

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

_IN_PATH: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"


def path_of(target: GeminiTarget, verb: str, *, stream: bool = False) -> bytes:
    """The path below the API's version; a stream is asked for as server-sent events.

    Raises:
        Malformed: the model's name leads elsewhere.
    """
    demand_no_steps(target.model)
    model = "".join(chr(byte) if byte in _IN_PATH else f"%{byte:02X}" for byte in target.model.encode())
    return f"/models/{model}:{verb}{'?alt=sse' if stream else ''}".encode()


def write_request(call: Call, target: GeminiTarget) -> bytes:
    """The body for ``generateContent`` and ``streamGenerateContent``.

    ``parallel_tool_calls: false`` has no counterpart here; the reader of the answer keeps the first call only.

    Raises:
        Malformed, Unsupported: a message, tool or schema cannot be expressed, or an extra field is of a wrong type.
    """
    return _encode(_write_fields(call, target))


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
    said["thinkingConfig"] = write_thinking(call.reasoning, target, call.sampling.max_tokens)
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
