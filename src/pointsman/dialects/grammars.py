"""The grammars of the five dialects' streams behind one door: is this recorded stream what its clients may rely on?

    from pointsman.dialects.grammars import check

    for one in check("anthropic_messages", body):
        print(one.line, one.found, "expected:", one.expected)

The rules are in each dialect's ``grammar`` module. Any server's streams can be checked, Pointsman's or another's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.dialects.anthropic_messages import grammar as anthropic_messages
from pointsman.dialects.gemini import grammar as gemini
from pointsman.dialects.ollama import client_grammar as ollama
from pointsman.dialects.openai_chat import grammar as openai_chat
from pointsman.dialects.openai_responses import grammar as openai_responses
from pointsman.dialects.stream_checks import Violation

__all__ = ["DIALECTS", "Finding", "check"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong with a recorded stream.

    Attributes:
        found: What is wrong, in words.
        expected: What the grammar wants there, in words.
        piece: What the stream consists of: ``event``, ``line`` or ``element`` (of a JSON array).
        number: Which of these it is about, counted from 1; None where it is about the stream as a whole.
        line: The line of the body in which that one begins, counted from 1; None where there is none to name.
    """

    found: str
    expected: str
    piece: str
    number: int | None
    line: int | None


class _Form(msgspec.Struct, frozen=True):
    """How a body is cut.

    Attributes:
        pieces: What it is made of, in the plural, for words.
        piece: What one is called.
        places: The line in which each one begins.
    """

    pieces: str
    piece: str
    places: Callable[[bytes], list[int]]


def check(dialect: str, stream: bytes) -> list[Finding]:
    """What is wrong with a stream that was answered with status 200; empty if nothing is.

    Args:
        dialect: One of `DIALECTS`: ``openai_chat``, ``openai_responses``, ``anthropic_messages``, ``gemini`` or
            ``ollama_chat`` (of ``/api/chat`` or ``/api/generate``).
        stream: The whole body as it came: server-sent events; lines of JSON for Ollama; for Gemini without
            ``alt=sse``, a JSON array.

    Raises:
        KeyError: there is no such dialect.
    """
    form, judge = _EVENTS, DIALECTS[dialect]
    if dialect == "ollama_chat":
        form = _LINES
    elif dialect == "gemini" and stream.lstrip().startswith(b"["):
        form, judge = _ELEMENTS, _gemini_array
    places = form.places(stream)
    if form is not _ELEMENTS and not places:
        return [Finding(f"there are no {form.pieces} in it", f"a body of {form.pieces}", form.piece, None, None)]
    return [_placed(one, form, places) for one in judge(stream)]


def _placed(one: Violation, form: _Form, places: list[int]) -> Finding:
    line = places[one.number - 1] if one.number is not None and one.number <= len(places) else None
    return Finding(one.found, one.expected, form.piece, one.number, line)


def _gemini_array(stream: bytes) -> list[Violation]:
    return gemini.check(stream, array=True)


def _event_places(stream: bytes) -> list[int]:
    """Where each event with data begins, by the rules of `pointsman.wire.sse`."""
    places: list[int] = []
    first: int | None = None
    has_data = False
    for number, line in enumerate((*_LINE_END.split(stream.removeprefix(b"\xef\xbb\xbf")), b""), start=1):
        if line:
            if first is None and not line.startswith(b":"):
                first = number
            has_data = has_data or line == b"data" or line.startswith(b"data:")
            continue
        if has_data and first is not None:
            places.append(first)
        first, has_data = None, False
    return places


def _line_places(stream: bytes) -> list[int]:
    lines = enumerate(stream.split(b"\n"), start=1)
    return [number for number, line in lines if line.removesuffix(b"\r")]


def _no_places(_: bytes) -> list[int]:
    return []


_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_EVENTS: Final = _Form("server-sent events", "event", _event_places)
_LINES: Final = _Form("lines of JSON", "line", _line_places)
_ELEMENTS: Final = _Form("elements of a JSON array", "element", _no_places)

DIALECTS: Final[Mapping[str, Callable[[bytes], list[Violation]]]] = MappingProxyType(
    {
        "anthropic_messages": anthropic_messages.check,
        "gemini": gemini.check,
        "ollama_chat": ollama.check,
        "openai_chat": openai_chat.check,
        "openai_responses": openai_responses.check,
    }
)
"""The checker of each dialect, named as ``pointsman mapping`` names them."""
