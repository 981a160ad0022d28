"""Items of the input that only name an item of a stored response, put in place.

Source: https://platform.openai.com/docs/api-reference/responses/create (input, ``item_reference``). Clients that know
their responses to be stored send such references instead of the items.

The ids that are made here begin with the response's own, so that no index of items is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.errors import Malformed, NotFound
from pointsman.core.identity import Owner
from pointsman.dialects.openai_responses.keeping import read_kept
from pointsman.dialects.openai_responses.listing import item_id
from pointsman.stores.response_ports import OBJECT_BYTES_MAX, ResponseRecord, ResponseStore

__all__ = ["has_references", "resolved"]

_RESPONSES_MAX: Final = 500
_ID_CHARACTERS_MAX: Final = 80
_MARK: Final = b'"item_reference"'
_ITEM_ID: Final = re.compile(r"[a-z]+_([0-9a-f]{24})i?[0-9a-f]{2,}")


class _Reference(msgspec.Struct):
    type: str | None = None
    id: str | None = None


_decode_reference: Final = msgspec.json.Decoder(_Reference).decode
_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


def has_references(items: str | Iterable[msgspec.Raw]) -> bool:
    """Whether there may be any."""
    return not isinstance(items, str) and any(_MARK in bytes(raw) for raw in items)


async def resolved(
    items: Iterable[msgspec.Raw], responses: ResponseStore, owner: Owner, now: float
) -> tuple[msgspec.Raw, ...]:
    """``items`` with those in place that are named.

    Raises:
        NotFound: one is not there; ``param`` is its place.
        Malformed: they are too many or too long.
        StorageUnavailable: nobody can say.
    """
    known: dict[str, dict[str, msgspec.Raw]] = {}
    size = 0
    found: list[msgspec.Raw] = []
    for index, raw in enumerate(items):
        wanted = _wanted(raw)
        if wanted is None:
            found.append(raw)
            continue
        place = _ITEM_ID.fullmatch(wanted)
        response_id = f"resp_{place[1]}" if place else ""
        if response_id not in known:
            record = await responses.get(response_id, owner, now) if response_id else None
            known[response_id] = {} if record is None else _items(record)
        item = known[response_id].get(wanted)
        if item is None:
            raise _not_found(wanted, index)
        size += len(bytes(item))
        if size > OBJECT_BYTES_MAX or len(known) > _RESPONSES_MAX:
            raise Malformed("The items that are referred to are too many or too long.", param=f"input[{index}]")
        found.append(item)
    return tuple(found)


def _wanted(raw: msgspec.Raw) -> str | None:
    """The id that a reference names; None for everything else, which others will read, or refuse."""
    try:
        reference = _decode_reference(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return reference.id if reference.type == "item_reference" else None


def _items(record: ResponseRecord) -> dict[str, msgspec.Raw]:
    given = {item_id(raw): raw for raw in _decode_items(record.input_items)}
    return given | {item_id(raw): raw for raw in read_kept(record.body).output}


def _not_found(wanted: str, index: int) -> NotFound:
    return NotFound(
        f"Item with id '{wanted[:_ID_CHARACTERS_MAX]}' not found.",
        hint="Items of responses that were not stored are not kept; send the item itself.",
        param=f"input[{index}]",
        code="item_not_found",
        kind="invalid_request_error",
    )
