"""What every backend says alike when an entry cannot be kept or found."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from pointsman.core.errors import Malformed, NotFound
from pointsman.stores.directory.kinds import Kind
from pointsman.stores.directory.ports import AliasTaken, EntryExists

__all__ = ["alias_taken", "encoded", "entry_exists", "no_such_entry"]

T = TypeVar("T", bound=msgspec.Struct)


def encoded(kind: Kind[T], record: T) -> str:
    """The entry as it is stored.

    Raises:
        Malformed: a text is no Unicode.
    """
    try:
        return kind.encode(record)
    except UnicodeEncodeError as error:
        raise Malformed(
            f"A text of the {_noun(kind)} is not valid Unicode.", hint="Send it as UTF-8 without lone surrogates."
        ) from error


def entry_exists(kind: Kind[Any], identity: str) -> EntryExists:
    """The refusal of an id that is there already."""
    return EntryExists(
        f"A {_noun(kind)} with the id {identity!r} exists already.", hint="Choose another id, or change that one."
    )


def alias_taken(kind: Kind[Any], alias: str | None) -> AliasTaken:
    """The refusal of an alias that another has."""
    return AliasTaken(
        f"Another {_noun(kind)} is called {alias!r} already.", hint="Choose another name, or delete that one."
    )


def no_such_entry(kind: Kind[Any], identity: str) -> NotFound:
    """The refusal to change what is not there."""
    return NotFound(
        f"There is no {_noun(kind)} with the id {identity!r}.",
        hint="It was never made here, or it was deleted.",
        code=f"{kind.name}_not_found",
    )


def _noun(kind: Kind[Any]) -> str:
    return kind.name.replace("_", " ")
