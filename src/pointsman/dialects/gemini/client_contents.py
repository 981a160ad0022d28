"""The contents of a request, read from a client of Gemini.

Source: https://ai.google.dev/api/caching#Content and #Part. Results become messages of their own. The signature of an
answer belongs to the reasoning before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.content import (
    Audio,
    File,
    Image,
    Message,
    Role,
    ServerToolUse,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from pointsman.core.content import Part as AnyPart
from pointsman.core.errors import Malformed
from pointsman.dialects.gemini.given import read_code, with_result
from pointsman.dialects.gemini.types import Blob, Content, FileData, FunctionCall, FunctionResponse, Part
from pointsman.dialects.open_calls import OpenCalls
from pointsman.dialects.signatures import GEMINI, unseal
from pointsman.wire.base64_text import read_base64

__all__ = ["read_contents", "read_system"]

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode

_ROLES: Final = frozenset({None, "", "function", "model", "tool", "user"})
"""With those under which older clients give the results of functions."""

_NULL: Final = msgspec.Raw(b"null")
_NOTHING_SAID: Final = Text("")
_AUDIO: Final = "audio/"
_IMAGE: Final = "image/"


def read_system(content: Content | None) -> tuple[Message, ...]:
    """``systemInstruction`` as a message, or nothing.

    Raises:
        Malformed: it has something else than text.
    """
    parts = [] if content is None else content.parts or []
    for index, part in enumerate(parts):
        if part.text is None:
            place = f"systemInstruction.parts[{index}]"
            raise Malformed(f"{place} must be text.", param=place)
    texts = tuple(Text(part.text) for part in parts if part.text)
    return (Message("system", texts),) if texts else ()


def read_contents(contents: Iterable[Content]) -> tuple[Message, ...]:
    """The messages of a request.

    Raises:
        Malformed: a part is empty, arguments are not an object, or data is not base64; ``param`` is its path.
    """
    listed = list(contents)
    parts = [part for content in listed for part in content.parts or ()]
    calls = OpenCalls(part.function_call.id for part in parts if part.function_call and part.function_call.id)
    messages: list[Message] = []
    for index, content in enumerate(listed):
        for message in _read_content(content, index, calls):
            if message.role == "assistant" and messages and messages[-1].role == "assistant":
                messages[-1] = Message("assistant", messages[-1].parts + message.parts)
            else:
                messages.append(message)
    return tuple(
        Message("assistant", _joined(message.parts)) if message.role == "assistant" else message for message in messages
    )


def _read_content(content: Content, index: int, calls: OpenCalls) -> list[Message]:
    if content.role not in _ROLES:
        raise Malformed(f"contents[{index}].role must be user or model.", param=f"contents[{index}].role")
    results: list[Message] = []
    parts: list[AnyPart] = []
    for position, wire in enumerate(content.parts or ()):
        place = f"contents[{index}].parts[{position}]"
        if wire.function_response is not None:
            made = calls.made_id(index, position)
            results.append(Message("tool", (_read_result(wire.function_response, made, calls, place),)))
        elif wire.function_call is not None:
            call_id = wire.function_call.id or calls.made_id(index, position)
            call = ToolCall(call_id, wire.function_call.name, _arguments(wire.function_call, place))
            if wire.thought_signature:
                call = msgspec.structs.replace(call, signature=wire.thought_signature)
            calls.add(call)
            parts.append(call)
        else:
            parts += _read_part(wire, place)
    if not parts and not results:
        parts.append(Text(""))
    role: Role = "assistant" if content.role == "model" else "user"
    return [*results, Message(role, tuple(parts))] if parts else results


def _joined(parts: Iterable[AnyPart]) -> tuple[AnyPart, ...]:
    """What the model said, its pieces put together; a signature that came after reasoning is that reasoning's."""
    told: list[AnyPart] = []
    for part in parts:
        last = told[-1] if told else None
        if isinstance(part, Thinking):
            _join_thought(part, told)
        elif isinstance(part, Text) and isinstance(last, Text):
            told[-1] = Text(last.text + part.text)
        elif isinstance(part, ServerToolUse) and isinstance(last, ServerToolUse) and not part.input:
            told[-1] = msgspec.structs.replace(last, output=part.output, failed=part.failed)
        elif part != _NOTHING_SAID:
            told.append(part)
    return tuple(told) or (_NOTHING_SAID,)


def _join_thought(part: Thinking, told: list[AnyPart]) -> None:
    place = next((place for place in reversed(range(len(told))) if isinstance(told[place], Thinking)), None)
    before = None if place is None else told[place]
    goes_on = place == len(told) - 1 or not part.text
    if place is not None and isinstance(before, Thinking) and before.signature is None and goes_on:
        told[place] = msgspec.structs.replace(part, text=before.text + part.text)
    else:
        told.append(part)


def _read_part(part: Part, place: str) -> list[AnyPart]:
    if part.inline_data is not None:
        return [_read_blob(part.inline_data, f"{place}.inlineData")]
    if part.file_data is not None:
        return [_read_file(part.file_data, f"{place}.fileData")]
    if part.thought:
        return [unseal(Thinking(part.text or "", part.thought_signature), GEMINI)]
    if part.executable_code is not None:
        return [read_code(part.executable_code, "")]
    if part.code_execution_result is not None:
        return [with_result(None, part.code_execution_result, "")]
    text = part.text
    signed: list[AnyPart] = [unseal(Thinking("", part.thought_signature), GEMINI)] if part.thought_signature else []
    if not text and part.text is None and not signed:
        raise Malformed(f"{place} must have text, inlineData, fileData, functionCall or functionResponse.", param=place)
    return [*signed, Text(text)] if text else signed


def _read_blob(blob: Blob, place: str) -> Image | Audio | File:
    data = read_base64(blob.data.replace("-", "+").replace("_", "/"), f"{place}.data")
    kind = blob.mime_type.lower()
    if kind.startswith(_IMAGE):
        return Image(data=data, media_type=kind)
    if kind.startswith(_AUDIO):
        return Audio(data, kind.removeprefix(_AUDIO))
    return File(data=data, media_type=kind or None)


def _read_file(file: FileData, place: str) -> Image | File:
    if not file.file_uri:
        raise Malformed(f"{place}.fileUri is required.", param=f"{place}.fileUri")
    kind = (file.mime_type or "").lower()
    if kind.startswith(_IMAGE):
        return Image(url=file.file_uri, media_type=kind)
    return File(url=file.file_uri, media_type=kind or None)


def _read_result(response: FunctionResponse, made_id: str, calls: OpenCalls, place: str) -> ToolResult:
    result = calls.answered(response.id or None, response.name or None, made_id)
    text, is_error = _response_text(response.response)
    media = [
        part
        for position, wire in enumerate(response.parts or ())
        for part in _read_part(wire, f"{place}.functionResponse.parts[{position}]")
        if isinstance(part, Text | Image | File)
    ]
    parts = (*([Text(text)] if text else []), *media)
    return msgspec.structs.replace(result, parts=parts, is_error=is_error)


def _response_text(raw: msgspec.Raw | msgspec.UnsetType) -> tuple[str, bool]:
    """What a tool gave as text, and whether it is an error; a lone ``output`` or ``error`` of text is unwrapped."""
    if not isinstance(raw, msgspec.Raw) or raw == _NULL:
        return "", False
    text = bytes(raw).decode("utf-8", "replace")
    try:
        fields = _decode_object(raw)
        if len(fields) == 1:
            name, value = next(iter(fields.items()))
            if name in {"output", "error"}:
                return _decode_text(value), name == "error"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return text, False
    return text, False


def _arguments(call: FunctionCall, place: str) -> str:
    """The arguments as compact JSON text."""
    raw = call.args
    if not isinstance(raw, msgspec.Raw) or raw == _NULL:
        return "{}"
    try:
        _decode_object(raw)
        return msgspec.json.format(bytes(raw), indent=-1).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        place = f"{place}.functionCall.args"
        raise Malformed(f"{place} must be an object.", param=place) from None
