"""Requests and responses that are relayed as they are, as far as the gateway must understand them all the same.

Sources: https://platform.openai.com/docs/api-reference/responses/create and, for what an item may be sent with,
https://platform.openai.com/docs/guides/conversation-state. Only the fields that name something stored are read here:
whatever else a request says is between its client and the upstream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pointsman.core.errors import Malformed
from pointsman.dialects.openai_responses.types import ConversationFields
from pointsman.wire.json_fields import decode_field

__all__ = ["GivenFields", "portable_items", "read_given", "retold_block", "retold_object"]


_NULL: Final = msgspec.Raw(b"null")


class GivenFields(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of things that are stored."""

    input: str | tuple[msgspec.Raw, ...] = ()
    previous_response_id: str | None = None
    conversation: str | None = None
    store: bool = True
    background: bool = False


class _Item(msgspec.Struct):
    type: str | None = None
    role: str | None = None
    content: msgspec.Raw = _NULL
    encrypted_content: str | None = None


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    response: msgspec.Raw = _NULL


_encode: Final = msgspec.json.Encoder().encode
_decode_input: Final = msgspec.json.Decoder(str | tuple[msgspec.Raw, ...] | None).decode
_decode_name: Final = msgspec.json.Decoder(str | None).decode
_decode_flag: Final = msgspec.json.Decoder(bool | None).decode
_decode_conversation: Final = msgspec.json.Decoder(str | ConversationFields | None).decode
_decode_item: Final = msgspec.json.Decoder(_Item).decode
_decode_parts: Final = msgspec.json.Decoder(list[_Part]).decode
_decode_event: Final = msgspec.json.Decoder(_Event).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
_OF_ALL: Final = frozenset({
    "message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output",
})  # fmt: skip
"""What every server of the dialect takes from a client."""
_OF_ONE: Final = ("id", "status")
"""Fields of an item by which a server looks for what it stored; an item that comes from elsewhere is not there."""


def read_given(fields: Mapping[str, msgspec.Raw]) -> GivenFields:
    """The fields that name something stored.

    Raises:
        Malformed: one is of a wrong type, or two contradict each other; ``param`` names it.
    """
    given = decode_field("input", fields.get("input", _NULL), _decode_input)
    previous = decode_field("previous_response_id", fields.get("previous_response_id", _NULL), _decode_name)
    conversation = decode_field("conversation", fields.get("conversation", _NULL), _decode_conversation)
    if isinstance(conversation, ConversationFields):
        conversation = conversation.id
    if previous and conversation:
        raise Malformed(
            "previous_response_id and conversation exclude each other.", hint="Send one of them.", param="conversation"
        )
    return GivenFields(
        input=given or (),
        previous_response_id=previous or None,
        conversation=conversation or None,
        store=decode_field("store", fields.get("store", _NULL), _decode_flag) is not False,
        background=decode_field("background", fields.get("background", _NULL), _decode_flag) or False,
    )


def portable_items(items: Iterable[msgspec.Raw]) -> tuple[msgspec.Raw, ...]:
    """Items of one server as another one takes them.

    They lose their ids, and the reasoning and the calls of tools that only the first can read are left out. Words of
    the model stand there as plain text, which servers take that do not know parts with annotations.
    """
    return tuple(found for raw in items if (found := _portable(raw)) is not None)


def _portable(raw: msgspec.Raw) -> msgspec.Raw | None:
    try:
        item, fields = _decode_item(raw), _decode_object(raw)
    except _UNREADABLE:
        return None
    if (item.type or "message") not in _OF_ALL:
        return None
    for name in _OF_ONE:
        fields.pop(name, None)
    text = _plain_text(item.content) if item.role == "assistant" else None
    if text is not None:
        fields["content"] = msgspec.Raw(_encode(text))
    return msgspec.Raw(_encode(fields))


def _plain_text(content: msgspec.Raw) -> str | None:
    try:
        parts = _decode_parts(content)
    except _UNREADABLE:
        return None
    texts = [part.text for part in parts if part.type == "output_text" and part.text is not None]
    return "".join(texts) if len(texts) == len(parts) else None


def retold_object(body: bytes, said: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
    """A response object that says ``said`` instead; empty: the object as it is.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return msgspec.Raw(_encode({**_decode_object(body), **said})) if said else msgspec.Raw(body)


def retold_block(block: bytes, said: Mapping[str, msgspec.Raw]) -> bytes:
    """Complete events, in which the responses that they carry say ``said`` instead; all others are as they were."""
    if b'"response"' not in block:
        return block
    return b"".join(_retold_event(event, said) for event in block.removesuffix(b"\n\n").split(b"\n\n"))


def _retold_event(event: bytes, said: Mapping[str, msgspec.Raw]) -> bytes:
    payload = b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
    try:
        told = _decode_event(payload)
        if told.response == _NULL:
            return event + b"\n\n"
        fields = _decode_object(payload) | {"response": retold_object(told.response, said)}
    except _UNREADABLE:
        return event + b"\n\n"
    return b"event: %b\ndata: %b\n\n" % (told.type.encode(), _encode(fields))
