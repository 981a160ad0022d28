"""The two names in an answer: its id, which the ledger keeps, and its model, which is told as the client asked for it.

As LiteLLM does, an answer names the model that was asked for, and not what the upstream calls it. A client that asks
for an alias or a group finds that name again, whichever deployment answered.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

__all__ = [
    "Names", "Renaming", "answer_id_of", "names_in", "names_of_event", "renamed", "renamed_event", "shown_as",
    "text_or_none",
]  # fmt: skip

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_ID: Final = b'{"id":"'
_MODEL: Final = re.compile(rb'"model"\s*:\s*"((?:[^"\\]|\\.)+)"')
_ID_CHARACTERS_MAX: Final = 256
_NAMES_MAX: Final = 256
_Written = tuple[bytes, bytes, bytes]
"""A model's name in an answer, the same with a space before it, and what is to stand there."""
_INNER: Final = ("response", "message")
"""Where events of OpenAI's Responses and of Anthropic's Messages have the answer that they tell of."""


class Names(msgspec.Struct):
    """What an answer, or a chunk of one, calls itself and its model; anything at all where an upstream is odd."""

    id: object = None
    model: object = None


class _Event(Names):
    response_id: object = msgspec.field(default=None, name="responseId")
    response: msgspec.Raw = msgspec.Raw()
    message: msgspec.Raw = msgspec.Raw()


_decode_names: Final = msgspec.json.Decoder(Names).decode
_decode_event: Final = msgspec.json.Decoder(_Event).decode


def text_or_none(said: object) -> str | None:
    """An id as the ledger may keep it: a text that is not empty, and not endless."""
    return said[:_ID_CHARACTERS_MAX] if isinstance(said, str) and said else None


def names_in(body: bytes) -> Names:
    """The names in a whole answer; none where it cannot be read."""
    try:
        return _decode_names(body)
    except _UNREADABLE:
        return Names()


def names_of_event(block: bytes) -> Names:
    """The names in the first event of a stream (or in a line of JSON, or in a whole answer), its answer's inside it."""
    start = block.find(b"{")
    end = block.find(b"\n", start)
    try:
        event = _decode_event(block[start:end] if end > 0 else block[start:])
        inner = bytes(event.response or event.message)
        if inner.startswith(b"{"):
            return _decode_names(inner)
    except _UNREADABLE:
        return Names()
    return Names(event.id or event.response_id, event.model)


def answer_id_of(block: bytes) -> str | None:
    """The id in a whole answer or the first event of a stream, as the ledger may keep it."""
    start = block.find(b"{")
    if block.startswith(_ID, start):
        start += len(_ID)
        said = block[start : block.find(b'"', start)]
        if said.isascii() and b"\\" not in said:
            return said[:_ID_CHARACTERS_MAX].decode() or None
    return text_or_none(names_of_event(block).id)


def shown_as(chunk: bytes, model: str) -> tuple[bytes, bytes] | None:
    """How a chunk names its model, and what is to stand there instead; both empty where it says ``model`` itself.

    A quote inside a JSON string is escaped, so neither can be found in the text of an answer. None: it names none.
    """
    found = _MODEL.search(chunk)
    if found is None:
        return None
    wanted = _encode(model)
    return (b"", b"") if found[1] == wanted[1:-1] else (found[0], b'"model":' + wanted)


class Renaming:
    """Gives whole answers another model's name, and remembers how the names are written."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[object, str], _Written] = {}

    def renamed(self, body: bytes, said: object, model: str) -> bytes:
        """As :func:`renamed`."""
        try:
            mark, spaced, shown = self._known[said, model]
        except (KeyError, TypeError):
            return self._learn(body, said, model)
        place = body.find(mark)
        if place > 0 and body.rfind(b"{", 0, place) == 0:
            return body.replace(mark, shown, 1)
        return _replaced(body, spaced, shown) or _rewritten(body, model)

    def _learn(self, body: bytes, said: object, model: str) -> bytes:
        if isinstance(said, str):
            if len(self._known) >= _NAMES_MAX:
                self._known.clear()
            self._known[said, model] = _written(said, model)
        return renamed(body, said, model)


def renamed(body: bytes, said: object, model: str) -> bytes:
    """A whole answer that says of its model ``said`` so far, and ``model`` from now on."""
    if not isinstance(said, str):
        return body
    mark, spaced, shown = _written(said, model)
    return _replaced(body, mark, shown) or _replaced(body, spaced, shown) or _rewritten(body, model)


def _written(said: str, model: str) -> _Written:
    name = said.encode("utf-8", "replace")
    return b'"model":"%b"' % name, b'"model": "%b"' % name, b'"model":' + _encode(model)


def _replaced(body: bytes, mark: bytes, shown: bytes) -> bytes:
    """The answer with its model told otherwise; empty where what was found may be another object's."""
    place = body.find(mark)
    # With no other object begun before it, it is the answer's own.
    return body.replace(mark, shown, 1) if place > 0 and body.rfind(b"{", 0, place) == 0 else b""


def _rewritten(body: bytes, model: str) -> bytes:
    fields = _decode_fields(body)
    fields["model"] = msgspec.Raw(_encode(model))
    return _encode(fields)


def renamed_event(event: bytes, model: str) -> bytes:
    """An event with the answer inside it, which says ``model``; any other event as it is."""
    if b'"model"' not in event:
        return event
    start = event.find(b"{")
    end = event.find(b"\n", start)
    payload = event[start:end] if end > 0 else event[start:]
    try:
        fields = _decode_fields(payload)
        for name in _INNER:
            inner = bytes(fields.get(name, b""))
            if inner.startswith(b"{"):
                answer = _decode_fields(inner)
                if "model" not in answer:
                    return event
                answer["model"] = msgspec.Raw(_encode(model))
                fields[name] = msgspec.Raw(_encode(answer))
                return event[:start] + _encode(fields) + event[start + len(payload) :]
    except _UNREADABLE:
        return event
    return event
