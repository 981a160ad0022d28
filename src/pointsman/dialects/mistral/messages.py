"""Messages of OpenAI's chat as Mistral takes them, on the level of their JSON.

Source: https://docs.mistral.ai/api/endpoint/chat. Mistral refuses fields that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.errors import Unsupported
from pointsman.dialects.mistral.ids import fitting_id

__all__ = ["fit_messages"]

_RawFields = dict[str, msgspec.Raw]

_decode_items: Final = msgspec.json.Decoder(list[_RawFields]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_encode: Final = msgspec.json.Encoder().encode

_NULL: Final = msgspec.Raw(b"null")
_TRUE: Final = msgspec.Raw(b"true")
_EMPTY: Final = msgspec.Raw(b'""')
_NOTHING: Final = (None, _NULL, _EMPTY, msgspec.Raw(b"[]"))
_BRACKET: Final = ord("[")
_SYSTEM: Final = msgspec.Raw(b'"system"')


class _File(msgspec.Struct):
    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class _Sound(msgspec.Struct):
    data: str


_decode_file: Final = msgspec.json.Decoder(_File).decode
_decode_sound: Final = msgspec.json.Decoder(_Sound).decode


def fit_messages(messages: Iterable[_RawFields], *, thinks: bool) -> list[_RawFields]:
    """The messages; an assistant's that says nothing is left out, one at the end is what the answer goes on with.

    Args:
        messages: Well-formed messages of OpenAI's chat.
        thinks: Whether the model reasons, and takes its thoughts of earlier turns back.
    """
    fitted = [message for one in messages if (message := _fit(one, thinks=thinks)) is not None]
    if fitted and _role(fitted[-1]) == "assistant" and "tool_calls" not in fitted[-1]:
        fitted[-1].setdefault("prefix", _TRUE)
    return fitted


def _role(message: _RawFields) -> str:
    return _decode_text(message["role"])


def _fit(message: _RawFields, *, thinks: bool) -> _RawFields | None:
    match _role(message):
        case "assistant":
            return _fit_assistant(message, thinks=thinks)
        case "tool":
            return _fit_result(message)
        case "user":
            return {"role": message["role"], "content": _fit_content(message["content"])}
        case _:
            return {"role": _SYSTEM, "content": message["content"]}


def _fit_assistant(message: _RawFields, *, thinks: bool) -> _RawFields | None:
    content = message.get("content")
    fitted: _RawFields = {"role": message["role"]}
    if content not in _NOTHING:
        fitted["content"] = _fit_content(content)
    thought = message.get("reasoning_content")
    if thinks and thought not in _NOTHING:
        fitted["content"] = _with_thought(thought, fitted.get("content"))
    calls = message.get("tool_calls")
    if calls not in _NOTHING:
        fitted["tool_calls"] = msgspec.Raw(_encode([_fit_call(call) for call in _decode_items(calls)]))
    if "prefix" in message:
        fitted["prefix"] = message["prefix"]
    return fitted if "content" in fitted or "tool_calls" in fitted else None


def _with_thought(thought: msgspec.Raw, content: msgspec.Raw | None) -> msgspec.Raw:
    """Content that begins with what the model thought."""
    chunk = {"type": "thinking", "thinking": [{"type": "text", "text": thought}], "closed": True}
    if content is None:
        rest: list[object] = []
    elif memoryview(content)[0] == _BRACKET:
        rest = list(_decode_items(content))
    else:
        rest = [{"type": "text", "text": content}]
    return msgspec.Raw(_encode([chunk, *rest]))


def _fit_call(call: _RawFields) -> dict[str, object]:
    return {"id": fitting_id(_decode_text(call["id"])), "type": "function", "function": call["function"]}


def _fit_result(message: _RawFields) -> _RawFields:
    content = message.get("content")
    fitted: _RawFields = {
        "role": message["role"],
        "content": _EMPTY if content is None or content in _NOTHING else _fit_content(content),
        "tool_call_id": msgspec.Raw(_encode(fitting_id(_decode_text(message["tool_call_id"])))),
    }
    name = message.get("name")
    return fitted if name in _NOTHING else {**fitted, "name": name}


def _fit_content(content: msgspec.Raw) -> msgspec.Raw:
    """Content whose parts are Mistral's; text stays as it is.

    Raises:
        Unsupported: a part is a film.
    """
    if memoryview(content)[0] != _BRACKET:
        return content
    return msgspec.Raw(_encode([_fit_part(part) for part in _decode_items(content)]))


def _fit_part(part: _RawFields) -> object:
    match _decode_text(part["type"]):
        case "input_audio":
            return {"type": "input_audio", "input_audio": _decode_sound(part["input_audio"]).data}
        case "refusal":
            return {"type": "text", "text": part["refusal"]}
        case "file":
            return _fit_file(_decode_file(part["file"]))
        case "video_url":
            raise Unsupported("messages: Mistral takes no videos.", param="messages")
        case _:
            return part


def _fit_file(file: _File) -> dict[str, object]:
    """A document by its id or address, or itself as a ``data:`` URL; what has no type is taken for a PDF."""
    data = file.file_data
    if data is not None:
        url = data if data.startswith("data:") else f"data:application/pdf;base64,{data}"
    elif file.file_id is not None and file.file_id.startswith(("http://", "https://")):
        url = file.file_id
    else:
        return {"type": "file", "file_id": file.file_id}
    named = {} if file.filename is None else {"document_name": file.filename}
    return {"type": "document_url", "document_url": url, **named}
