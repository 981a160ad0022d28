"""The messages of a chat, read from a client of Ollama. Many of these clients drop the ids of tool calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.content import Image, Message, Part, Text, Thinking, ToolCall
from pointsman.core.errors import Malformed
from pointsman.dialects.ollama.client_types import AskedMessage, AskedToolCall
from pointsman.dialects.open_calls import OpenCalls
from pointsman.wire.base64_text import image_media_type, read_base64
from pointsman.wire.json_fields import decode_field

__all__ = ["read_image", "read_messages"]

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode

_NULL: Final = msgspec.Raw(b"null")
_DATA_URL: Final = "data:"


def read_messages(messages: Iterable[AskedMessage]) -> tuple[Message, ...]:
    """The messages of a request.

    Raises:
        Malformed: an image is not base64, or arguments are not an object; ``param`` is the path.
    """
    listed = list(messages)
    calls = OpenCalls(call.id for message in listed for call in message.tool_calls or () if call.id)
    return tuple(_read_message(message, index, calls) for index, message in enumerate(listed))


def read_image(text: str, place: str) -> Image:
    """An image as bare base64. The ``data:`` prefix, which Ollama refuses, is taken off where there is one.

    Raises:
        Malformed: it is not base64.
    """
    if text[: len(_DATA_URL)].lower() == _DATA_URL:
        text = text.partition(",")[2]
    data = read_base64(text, place)
    return Image(data=data, media_type=image_media_type(data))


def _read_message(message: AskedMessage, index: int, calls: OpenCalls) -> Message:
    path = f"messages[{index}]"
    images = [read_image(image, f"{path}.images[{position}]") for position, image in enumerate(message.images or ())]
    texts = [Text(message.content)] if message.content else []
    if message.role == "tool":
        name = message.tool_name or message.name or None
        result = calls.answered(message.tool_call_id or None, name, calls.made_id(index, 0))
        return Message("tool", (msgspec.structs.replace(result, parts=(*texts, *images)),))
    parts: list[Part] = [Thinking(message.thinking)] if message.thinking else []
    parts += [*texts, *images]
    for position, wire in enumerate(message.tool_calls or ()):
        place = f"{path}.tool_calls[{position}].function.arguments"
        call = ToolCall(wire.id or calls.made_id(index, position), wire.function.name, _read_arguments(wire, place))
        calls.add(call)
        parts.append(call)
    return Message(message.role, tuple(parts) or (Text(""),))


def _read_arguments(call: AskedToolCall, place: str) -> str:
    """The arguments as compact JSON text, as the reader of Ollama's answers gives them."""
    raw = call.function.arguments
    if not isinstance(raw, msgspec.Raw) or raw == _NULL:
        return "{}"
    text = bytes(raw)
    if text.startswith(b'"'):
        text = decode_field(place, raw, _decode_text).encode("utf-8", "replace") or b"{}"
    try:
        _decode_object(text)
        return msgspec.json.format(text, indent=-1).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Malformed(f"{place} must be a JSON object.", param=place) from None
