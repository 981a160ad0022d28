"""The messages of a chat, written for Ollama."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pointsman.core.content import File, Image, Message, Refusal, Text, Thinking, ToolCall, ToolResult
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.ollama.types import ChatMessage, SentFunction, SentToolCall

__all__ = ["write_messages"]

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

_ROLES: Final = {"developer": "system"}
_NOTHING: Final = msgspec.Raw(b"{}")


def write_messages(messages: Iterable[Message]) -> list[ChatMessage]:
    """The messages on the wire.

    Texts of one message are joined by a line break, as llama.cpp and vLLM do it. A speaker's ``name`` has no
    place there and is left out. A tool result becomes a message of its own, with the tool's name, which Ollama's
    templates want, found by the id of the call where the client did not give it.

    Raises:
        Malformed: a tool call's arguments are not a JSON object, or an image is still only a URL.
        Unsupported: a message holds a sound or a document.
    """
    written: list[ChatMessage] = []
    names: dict[str, str] = {}
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        written += [_write_result(part, names, path) for part in results]
        if len(results) < len(message.parts) or not results:
            written.append(_write_message(message, path))
        names.update((part.id, part.name) for part in message.parts if isinstance(part, ToolCall))
    return written


def _write_message(message: Message, path: str) -> ChatMessage:
    texts: list[str] = []
    thinking: list[str] = []
    images: list[str] = []
    calls: list[SentToolCall] = []
    for position, part in enumerate(message.parts):
        match part:
            case Text() | Refusal():
                texts.append(part.text)
            case Thinking():
                thinking.append(part.text)
            case Image():
                images.append(_image(part, f"{path}.content[{position}].image_url"))
            case ToolCall():
                arguments = _arguments(part, f"{path}.tool_calls[{len(calls)}].function.arguments")
                calls.append(SentToolCall(SentFunction(part.name, arguments), part.id))
            case ToolResult():
                continue
            case File() if part.text is not None:
                texts.append(part.text)
            case _:
                place = f"{path}.content[{position}]"
                raise Unsupported(f"{place}: Ollama takes no {type(part).__name__.lower()}.", param=place)
    return ChatMessage(
        role=_ROLES.get(message.role, message.role),
        content="\n".join(texts),
        thinking="".join(thinking),
        images=images or None,
        tool_calls=calls or None,
    )


def _write_result(result: ToolResult, names: Mapping[str, str], path: str) -> ChatMessage:
    images = [
        _image(part, f"{path}.content[{position}].image_url")
        for position, part in enumerate(result.parts)
        if isinstance(part, Image)
    ]
    texts: list[str] = []
    for position, part in enumerate(result.parts):
        if isinstance(part, Text | File):
            if part.text is None:
                place = f"{path}.content[{position}]"
                raise Unsupported(f"{place}: Ollama takes no file.", param=place)
            texts.append(part.text)
    return ChatMessage(
        role="tool",
        content="\n".join(texts),
        images=images or None,
        tool_name=result.name or names.get(result.call_id, ""),
        tool_call_id=result.call_id,
    )


def _image(image: Image, place: str) -> str:
    if image.data is None:
        raise Malformed(
            f"{place} is a URL, and Ollama does not fetch images.",
            hint="Send the image itself as a data: URL.",
            param=place,
            code="remote_image_refused",
        )
    return image.data


def _arguments(call: ToolCall, place: str) -> msgspec.Raw:
    """JSON text as a JSON object; no text at all is how a call without arguments is often written."""
    if not call.arguments.strip():
        return _NOTHING
    try:
        return msgspec.Raw(_encode(_decode_object(call.arguments)))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise Malformed(f"{place} must be a JSON object as text.", param=place) from None
