"""Tool calls for clients that take arguments as an object, and not as text as models write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pointsman.core.content import ToolCall
from pointsman.core.errors import Broken

__all__ = ["with_arguments"]

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_NO_ARGUMENTS: Final = msgspec.Raw(b"{}")
_SHOWN_CHARACTERS_MAX: Final = 80


def with_arguments(calls: Iterable[ToolCall], *, cut_off: bool) -> Iterator[tuple[ToolCall, msgspec.Raw]]:
    """The calls, each with its arguments as a JSON object on one line.

    Args:
        calls: The calls of one answer.
        cut_off: Whether the answer ended before its time. Then a call whose arguments broke off is left out.

    Raises:
        Broken: the arguments of a call that was not cut off are not a JSON object, which has no place there.
    """
    for call in calls:
        arguments = _object(call.arguments)
        if arguments is not None:
            yield call, arguments
        elif not cut_off:
            name = call.name[:_SHOWN_CHARACTERS_MAX]
            raise Broken(f"The model called the tool '{name}' with arguments that are not a JSON object.")


def _object(text: str) -> msgspec.Raw | None:
    """JSON text as a JSON object on one line, or None; no text is how a call without arguments is often written."""
    if not text.strip():
        return _NO_ARGUMENTS
    try:
        raw = text.encode()
        _decode_object(raw)
        return msgspec.Raw(msgspec.json.format(raw, indent=-1))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
