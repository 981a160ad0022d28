"""Requests of clients that speak Gemini: ``generateContent``, ``streamGenerateContent``, ``countTokens``.

Source: https://ai.google.dev/api/generate-content, https://ai.google.dev/api/tokens. The model and whether to stream
stand in the path. What the common vocabulary has no word for stays in ``Call.extra`` under its own name; what is left
of ``generationConfig`` and ``toolConfig`` stays together under theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice, WebSearch
from pointsman.core.errors import Malformed
from pointsman.dialects.gemini.client_contents import read_contents, read_system
from pointsman.dialects.gemini.names import with_camel_names
from pointsman.dialects.gemini.schemas import read_schema
from pointsman.dialects.gemini.types import (
    Content,
    CountBody,
    FunctionDeclaration,
    GenerateBody,
    GenerationConfig,
    RawField,
    ThinkingConfig,
    ToolConfig,
)
from pointsman.dialects.openai_fields import demand_model_name
from pointsman.wire.json_fields import decode_field, demand_object, read_body, read_fields

__all__ = ["native_tool", "read_count_request", "read_request", "wants_thoughts", "whole_request"]

_decode: Final = msgspec.json.Decoder(GenerateBody).decode
_SEARCHES: Final = frozenset({"googleSearch", "googleSearchRetrieval"})
_CODE: Final = "codeExecution"
_decode_count: Final = msgspec.json.Decoder(CountBody).decode
_decode_functions: Final = msgspec.json.Decoder(list[FunctionDeclaration] | None).decode
_decode_config: Final = msgspec.json.Decoder(GenerationConfig | None).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode
_encode: Final = msgspec.json.Encoder().encode

_NULL: Final = msgspec.Raw(b"null")
_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(GenerateBody)) | {"model"}
_KNOWN_CONFIG: Final = frozenset(field.encode_name for field in msgspec.structs.fields(GenerationConfig))
_SHAPE: Final = ("responseMimeType", "responseSchema", "responseJsonSchema")
_FUNCTIONS: Final = "functionDeclarations"
_SCHEMA_NAME: Final = "response"
"""Gemini's schemas have no name, and OpenAI's must have one."""

_JSON: Final = "application/json"
_LEVELS: Final = ("minimal", "low", "medium", "high")
"""https://ai.google.dev/gemini-api/docs/thinking#thinking-levels."""


def read_request(body: bytes, model: str, *, stream: bool = False) -> Call:
    """The body for ``generateContent``; ``model`` and ``stream`` are what the path says.

    Raises:
        Malformed: a field is missing or of a wrong type or value; ``param`` is its path.
    """
    demand_model_name(model)
    body = with_camel_names(body)
    fields = read_fields(body)
    request = read_body(body, _decode)
    contents = [request.contents] if isinstance(request.contents, Content) else request.contents
    if not contents:
        raise Malformed("contents must not be empty.", param="contents")
    config = request.generation_config or GenerationConfig()
    shape = _read_shape(config)
    tools, choice = _read_choice(_read_tools(request), request.tool_config)
    return Call(
        model=model,
        messages=(*read_system(request.system_instruction), *read_contents(contents)),
        sampling=_read_sampling(config),
        tools=tools,
        tool_choice=choice,
        response_format=shape,
        reasoning=_read_reasoning(config.thinking_config),
        stream=stream,
        include_usage=True,
        extra=_read_extra(fields, has_shape=shape is not None),
    )


def read_count_request(body: bytes, model: str) -> Call:
    """The body for ``countTokens``: contents alone, or a whole ``generateContentRequest``.

    Raises:
        Malformed: as :func:`read_request`.
    """
    return read_request(_encode(whole_request(body)), model)


def whole_request(body: bytes) -> dict[str, msgspec.Raw]:
    """The fields of the request whose tokens a body for ``countTokens`` asks for, under the names of Gemini's JSON.

    Raises:
        Malformed: the body is no object.
    """
    body = with_camel_names(body)
    request = read_body(body, _decode_count)
    whole = request.generate_content_request
    return read_fields(bytes(whole) if isinstance(whole, msgspec.Raw) and whole != _NULL else body)


def wants_thoughts(fields: Mapping[str, msgspec.Raw]) -> bool:
    """Whether the client asked to be shown the reasoning; ``fields`` are those of a body that has been read."""
    config = decode_field("generationConfig", fields.get("generationConfig", _NULL), _decode_config)
    return bool(config and config.thinking_config and config.thinking_config.include_thoughts)


def _read_sampling(config: GenerationConfig) -> Sampling:
    return Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=None if config.top_k is None else int(config.top_k),
        seed=config.seed,
        stop=tuple(text for text in config.stop_sequences or () if text) or None,
        presence_penalty=config.presence_penalty,
        frequency_penalty=config.frequency_penalty,
        max_tokens=config.max_output_tokens or None,
        n=config.candidate_count,
        logprobs=config.response_logprobs,
        top_logprobs=config.logprobs,
    )


def _read_shape(config: GenerationConfig) -> ResponseFormat | None:
    """JSON, with or without a schema; other media types are for Gemini alone."""
    if config.response_mime_type != _JSON:
        return None
    schema = config.response_json_schema
    if _is_said(schema) and isinstance(schema, msgspec.Raw):
        demand_object("generationConfig.responseJsonSchema", schema)
        return ResponseFormat("json_schema", _SCHEMA_NAME, schema)
    schema = config.response_schema
    if _is_said(schema) and isinstance(schema, msgspec.Raw):
        demand_object("generationConfig.responseSchema", schema)
        return ResponseFormat("json_schema", _SCHEMA_NAME, read_schema(schema))
    return ResponseFormat("json_object")


def _read_reasoning(config: ThinkingConfig | None) -> Reasoning | None:
    """A level is an effort; a budget of 0 is off, of -1 the model's own choice."""
    if config is None:
        return None
    level = (config.thinking_level or "").lower()
    budget = config.thinking_budget
    if level and level != "thinking_level_unspecified":
        if level not in _LEVELS:
            place = "generationConfig.thinkingConfig.thinkingLevel"
            raise Malformed(f"{place} must be one of {', '.join(_LEVELS).upper()}.", param=place)
        return Reasoning(effort=level)
    if budget is None:
        return Reasoning(enabled=True) if config.include_thoughts else None
    return Reasoning(enabled=budget != 0) if budget <= 0 else Reasoning(budget_tokens=budget, enabled=True)


def _read_tools(request: GenerateBody) -> tuple[Tool, ...]:
    """Functions, and whatever else stands in ``tools``, whole, under its name."""
    tools: list[Tool] = []
    for index, wire in enumerate(request.tools or ()):
        for name, raw in wire.items():
            if name == _FUNCTIONS:
                place = f"tools[{index}].{name}"
                listed = enumerate(decode_field(place, raw, _decode_functions) or ())
                tools += [_read_function(one, f"{place}[{number}]") for number, one in listed]
            elif raw != _NULL:
                tools.append(native_tool(name, raw))
    return tuple(tools)


def native_tool(name: str, raw: msgspec.Raw) -> Tool:
    """A tool that Google runs itself, by the name of its field and what stands in that."""
    native = msgspec.Raw(_encode({name: raw}))
    search = WebSearch() if name in _SEARCHES else None
    return Tool(name, native=native, dialect="gemini", search=search, runs_code=name == _CODE)


def _read_function(function: FunctionDeclaration, path: str) -> Tool:
    schema = function.parameters_json_schema
    if _is_said(schema) and isinstance(schema, msgspec.Raw):
        demand_object(f"{path}.parametersJsonSchema", schema)
        return Tool(function.name, function.description or None, schema)
    schema = function.parameters
    if _is_said(schema) and isinstance(schema, msgspec.Raw):
        demand_object(f"{path}.parameters", schema)
        return Tool(function.name, function.description or None, read_schema(schema))
    return Tool(function.name, function.description or None)


def _read_choice(tools: tuple[Tool, ...], config: ToolConfig | None) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """``VALIDATED`` makes the functions strict; of several allowed names only those tools are left."""
    calling = None if config is None else config.function_calling_config
    if calling is None or calling.mode in {None, "MODE_UNSPECIFIED"}:
        return tools, None
    if calling.mode == "VALIDATED":
        tools = tuple(tool if tool.native is not None else msgspec.structs.replace(tool, strict=True) for tool in tools)
    names = calling.allowed_function_names or []
    missing = sorted(set(names) - {tool.name for tool in tools})
    if missing:
        place = "toolConfig.functionCallingConfig.allowedFunctionNames"
        raise Malformed(f"{place} names '{missing[0][:80]}', which is not in tools.", param=place)
    if calling.mode == "ANY" and len(names) == 1:
        return tools, ToolChoice("named", names[0])
    if names:
        tools = tuple(tool for tool in tools if tool.name in names)
    match calling.mode:
        case "ANY":
            return tools, ToolChoice("required")
        case "NONE":
            return tools, ToolChoice("none")
        case _:
            return tools, ToolChoice("auto")


def _read_extra(fields: dict[str, msgspec.Raw], *, has_shape: bool) -> dict[str, msgspec.Raw]:
    extra = {name: raw for name, raw in fields.items() if name not in _KNOWN and raw != _NULL}
    config = decode_field("generationConfig", fields.get("generationConfig", _NULL), _decode_fields) or {}
    rest = {name: raw for name, raw in config.items() if raw != _NULL and name not in _KNOWN_CONFIG}
    if not has_shape:
        rest |= {name: config[name] for name in _SHAPE if config.get(name, _NULL) != _NULL}
    tool_config = decode_field("toolConfig", fields.get("toolConfig", _NULL), _decode_fields) or {}
    other = {name: raw for name, raw in tool_config.items() if name != "functionCallingConfig" and raw != _NULL}
    for name, kept in (("generationConfig", rest), ("toolConfig", other)):
        if kept:
            extra[name] = msgspec.Raw(_encode(kept))
    return extra


def _is_said(raw: RawField) -> bool:
    return isinstance(raw, msgspec.Raw) and raw != _NULL
