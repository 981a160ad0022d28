"""Chat requests for watsonx.ai: those of OpenAI's chat, rewritten.

Source: https://cloud.ibm.com/apidocs/watsonx-ai#text-chat. What a call wants and watsonx.ai does not have must have
been refused or dropped before (:mod:`.knobs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pointsman.core.call import Call, Tool
from pointsman.core.content import File, Message, Part, Thinking, ToolResult
from pointsman.core.errors import Unsupported

__all__ = ["fit_content", "rewrite_request"]

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode

_LEFT_OUT: Final = frozenset({"model", "stream", "stream_options"})
"""The path says whether to stream; a stream always has its counts."""

_QUOTE: Final = ord('"')
_CLOSED: Final = "additionalProperties"
_NAMED: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
"""Words of JSON Schema below which names are the schema's own."""

_DATA: Final = frozenset({"const", "default", "enum", "examples"})
"""Words below which there is no schema."""


def fit_content(call: Call) -> Call:
    """The call with the messages and tools that watsonx.ai takes.

    As in LiteLLM tools are neither strict nor closed. There is no place for earlier thoughts nor a developer's role.

    Raises:
        Unsupported: a message holds a document.
    """
    messages = tuple(_fit_message(message, index) for index, message in enumerate(call.messages))
    return msgspec.structs.replace(call, messages=messages, tools=tuple(_fit_tool(tool) for tool in call.tools))


def rewrite_request(body: bytes, place: Mapping[str, str]) -> bytes:
    """A well-formed request of OpenAI's chat as watsonx.ai takes it.

    Args:
        body: The request.
        place: What stands for the model: ``model_id``, and ``project_id`` or ``space_id``; nothing for a deployment.
    """
    fields = {name: raw for name, raw in _decode_fields(body).items() if name not in _LEFT_OUT}
    choice = fields.get("tool_choice")
    if choice is not None and memoryview(choice)[0] == _QUOTE:
        fields["tool_choice_option"] = fields.pop("tool_choice")
    return _encode({**place, **fields})


def _fit_message(message: Message, index: int) -> Message:
    parts = tuple(_fit_part(part, index) for part in message.parts if not isinstance(part, Thinking))
    role = "system" if message.role == "developer" else message.role
    return msgspec.structs.replace(message, role=role, parts=parts)


def _fit_part(part: Part, index: int) -> Part:
    if isinstance(part, File) and part.text is None and not (part.media_type or "").startswith("video/"):
        path = f"messages[{index}].content"
        raise Unsupported(f"{path}: watsonx.ai takes no documents.", hint="Send its text.", param=path)
    return msgspec.structs.replace(part, name=None) if isinstance(part, ToolResult) else part


def _fit_tool(tool: Tool) -> Tool:
    parameters = tool.parameters
    if parameters is not None and _CLOSED.encode() in memoryview(parameters).tobytes():
        parameters = msgspec.Raw(_encode(_opened(_decode(parameters))))
    return msgspec.structs.replace(tool, strict=None, parameters=parameters)


def _opened(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """A schema that says nowhere that there are no other fields."""
    if isinstance(schema, list):
        return [_opened(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {word: value for word, value in schema.items() if not (word == _CLOSED and value is False)}
    return {word: _opened_below(word, value) for word, value in kept.items()}


def _opened_below(word: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    if word in _DATA:
        return value
    if word in _NAMED and isinstance(value, dict):
        return {name: _opened(one) for name, one in value.items()}
    return _opened(value)
