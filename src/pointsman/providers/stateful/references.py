"""Items of the input that only name an item of a stored response, put in place.

Source: https://platform.openai.com/docs/api-reference/responses/create (input, ``item_reference``). Clients that know
their responses to be stored send such references instead of the items.

The ids that are made here begin with the response's own; those that an upstream made are found by an index.
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
from pointsman.dialects.openai_responses.relaying import portable_items
from pointsman.stores.response_ports import OBJECT_BYTES_MAX, ResponseRecord, ResponseStore

__all__ = ["EVERYBODY", "Resolved", "Resolver", "has_references"]

EVERYBODY: Final = Owner("", sees_all=True)
"""Sees whether there is something at all."""

_RESPONSES_MAX: Final = 500
_ID_CHARACTERS_MAX: Final = 80
_ITEM_ID: Final = re.compile(r"[a-z]+_([0-9a-f]{24})i?[0-9a-f]{2,}")


_NULL: Final = msgspec.Raw(b"null")
_BY_ID: Final = frozenset({"reasoning", "image_generation_call"})
"""Types of items of which an upstream looks for the substance itself where a client sends none of it."""


class _Reference(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    role: str | None = None
    encrypted_content: msgspec.Raw = _NULL
    content: msgspec.Raw = _NULL
    result: msgspec.Raw = _NULL


_decode_reference: Final = msgspec.json.Decoder(_Reference).decode
_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Resolved(msgspec.Struct, frozen=True):
    """An item of the input: as it is ``kept``, and as it is ``sent``; None: not at all, the upstream cannot read it."""

    kept: msgspec.Raw
    sent: msgspec.Raw | None


class _Known(msgspec.Struct, frozen=True):
    """The items of a stored response by their ids; ``upstream`` made it, and knows those in ``there``."""

    items: dict[str, msgspec.Raw]
    there: frozenset[str] = frozenset()
    upstream: str | None = None


def has_references(items: str | Iterable[msgspec.Raw], *, relayed: bool = False) -> bool:
    """Whether there are any; for an upstream to which they are ``relayed`` also by items without their substance."""
    return not isinstance(items, str) and any(_wanted(raw, relayed=relayed) is not None for raw in items)


class Resolver:
    """Puts the items of one request in place, for ``upstream``; None: the request will be translated.

    With ``allows_unknown`` a reference to what is nobody's is left as it is, for the upstream to know or to refuse.
    """

    def __init__(
        self,
        responses: ResponseStore,
        owner: Owner,
        now: float,
        *,
        upstream: str | None = None,
        allows_unknown: bool = False,
    ) -> None:
        self._responses = responses
        self._owner = owner
        self._now = now
        self._upstream = upstream
        self._allows_unknown = allows_unknown
        self._known: list[_Known] = []

    async def resolve(self, items: Iterable[msgspec.Raw]) -> tuple[Resolved, ...]:
        """The items.

        Raises:
            NotFound: one is not there; ``param`` is its place.
            Malformed: they are too many or too long.
            StorageUnavailable: nobody can say.
        """
        size = 0
        found: list[Resolved] = []
        for index, raw in enumerate(items):
            wanted = _wanted(raw, relayed=self._upstream is not None)
            item = Resolved(raw, raw) if wanted is None else await self._item(raw, wanted, index)
            size += 0 if wanted is None else len(bytes(item.kept))
            if size > OBJECT_BYTES_MAX or len(self._known) > _RESPONSES_MAX:
                raise Malformed("The items that are referred to are too many or too long.", param=f"input[{index}]")
            found.append(item)
        return tuple(found)

    async def _item(self, reference: msgspec.Raw, wanted: str, index: int) -> Resolved:
        known = next((one for one in self._known if wanted in one.items), None)
        if known is None:
            record = await self._record(wanted, self._owner, self._now)
            known = None if record is None else _known(record)
            if known is None or wanted not in known.items:
                if self._allows_unknown and await self._record(wanted, EVERYBODY, 0.0) is None:
                    return Resolved(reference, reference)
                raise _not_found(wanted, index)
            self._known.append(known)
        item = known.items[wanted]
        if known.upstream is None:
            return Resolved(item, item)
        if known.upstream == self._upstream:
            return Resolved(item, reference if wanted in known.there else item)
        return Resolved(item, next(iter(portable_items((item,))), None))

    async def _record(self, wanted: str, owner: Owner, now: float) -> ResponseRecord | None:
        place = _ITEM_ID.fullmatch(wanted)
        record = await self._responses.get(f"resp_{place[1]}", owner, now) if place else None
        return record or await self._responses.with_item(wanted, owner, now)


def _wanted(raw: msgspec.Raw, *, relayed: bool) -> str | None:
    """The id that a reference names; None for everything else, which others will read, or refuse.

    An item with an id alone is a reference, too.
    """
    try:
        reference = _decode_reference(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    is_reference = reference.type == "item_reference" or (reference.type is None and reference.role is None)
    if relayed and reference.type in _BY_ID:
        is_reference = reference.encrypted_content == reference.content == reference.result == _NULL
    return reference.id if is_reference else None


def _known(record: ResponseRecord) -> _Known:
    given = {item_id(raw): raw for raw in _decode_items(record.input_items)}
    made = {item_id(raw): raw for raw in read_kept(record.body).output}
    return _Known(given | made, frozenset(made) if record.upstream_id else frozenset(), record.upstream)


def _not_found(wanted: str, index: int) -> NotFound:
    return NotFound(
        f"Item with id '{wanted[:_ID_CHARACTERS_MAX]}' not found.",
        hint="Items of responses that were not stored are not kept; send the item itself.",
        param=f"input[{index}]",
        code="item_not_found",
        kind="invalid_request_error",
    )
