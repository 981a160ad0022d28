"""What messages are made of, in the one tongue every dialect translates to and from.

``cache_control``, where a part has it, marks the end of a prefix that the provider shall cache: raw JSON in Anthropic's
form, which others ignore.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "Audio", "Citation", "File", "Image", "Message", "Part", "Refusal", "Role", "ServerToolUse", "Text", "Thinking",
    "ToolCall", "ToolResult",
]  # fmt: skip

Role = Literal["system", "developer", "user", "assistant", "tool"]


class Text(msgspec.Struct, frozen=True, tag=True):
    """Plain text."""

    text: str
    cache_control: msgspec.Raw | None = None


class Image(msgspec.Struct, frozen=True, tag=True):
    """An image: base64 ``data`` with its ``media_type``, or a ``url`` that somebody has to fetch."""

    data: str | None = None
    media_type: str | None = None
    url: str | None = None
    detail: str | None = None
    cache_control: msgspec.Raw | None = None


class Audio(msgspec.Struct, frozen=True, tag=True):
    """A sound as base64 ``data`` in ``format`` (``wav``, ``mp3``), and its words.

    One of an answer has the ``id`` under which its provider keeps it until ``expires_at``, in seconds since the epoch;
    in a later request that may be all. While it streams, each piece has that id.
    """

    data: str
    format: str
    id: str | None = None
    transcript: str = ""
    expires_at: int | None = None


class File(msgspec.Struct, frozen=True, tag=True):
    """A document: base64 ``data``, plain ``text``, a ``url``, or the ``file_id`` of an earlier upload."""

    data: str | None = None
    file_id: str | None = None
    filename: str | None = None
    media_type: str | None = None
    url: str | None = None
    text: str | None = None
    cache_control: msgspec.Raw | None = None


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """The model's words when it declines."""

    text: str


class Thinking(msgspec.Struct, frozen=True, tag=True):
    """Reasoning text; ``signature`` is opaque and must come back unchanged.

    ``redacted``: the provider keeps the text to itself, and the signature is all there is. ``signer`` is whose models
    know the signature again; None: nobody said.
    """

    text: str
    signature: str | None = None
    redacted: bool = False
    signer: str | None = None


class ToolCall(msgspec.Struct, frozen=True, tag=True):
    """The model asks for a tool; ``arguments`` is JSON text exactly as the model wrote it.

    ``signature`` is Gemini's thought signature, opaque, to come back unchanged.
    """

    id: str
    name: str
    arguments: str
    signature: str | None = None
    cache_control: msgspec.Raw | None = None


class ToolResult(msgspec.Struct, frozen=True, tag=True):
    """The answer of the tool called with ``call_id``."""

    call_id: str
    parts: tuple[Text | Image | File, ...]
    name: str | None = None
    is_error: bool = False
    cache_control: msgspec.Raw | None = None


class Citation(msgspec.Struct, frozen=True):
    """What words of an answer rest on: a page on the web (``url``) or a document of the request (counted from 0).

    ``start`` and ``end`` bound those words, in characters of the choice's text; None: nobody says. ``quote`` are words
    of the source, which stand there in ``place``: ``unit`` numbers, as that unit is counted, the last one exclusive.
    """

    url: str | None = None
    title: str | None = None
    quote: str | None = None
    start: int | None = None
    end: int | None = None
    document: int | None = None
    unit: Literal["char", "page", "block"] | None = None
    place: tuple[int, int] = (0, 0)


class ServerToolUse(msgspec.Struct, frozen=True, tag=True):
    """What a tool that the provider runs itself did on the way to an answer: ran code, searched the web, or else.

    ``input`` is the code, in ``language``, or what was searched for, a line each; ``output`` what the code gave, None:
    nobody says; ``found`` are pages. It stands behind ``at`` characters of the choice's text. ``native`` is all of it
    as its own ``dialect`` has it, which alone takes that back.
    """

    id: str
    kind: Literal["code", "search", "other"]
    input: str = ""
    language: str | None = None
    output: str | None = None
    failed: bool = False
    found: tuple[Citation, ...] = ()
    at: int = 0
    native: tuple[msgspec.Raw, ...] = ()
    dialect: str | None = None


Part = Text | Image | Audio | File | Refusal | Thinking | ToolCall | ToolResult | ServerToolUse


class Message(msgspec.Struct, frozen=True):
    """One turn. ``name`` tells speakers of one role apart."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
