"""The promises of the stores behind OpenAI's Responses API, beside those of :mod:`pointsman.stores.ports`.

An object belongs to the key that made it, or to the key that was put in its place. To who may not see it, it is not
there: methods that take an :class:`~pointsman.core.identity.Owner` give None or False, as for an id that never was.

What has expired may stay for a while until :meth:`ResponseStore.sweep` comes to it, and is not there either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Protocol

import msgspec

from pointsman.core.identity import Owner

__all__ = [
    "CONVERSATION_BYTES_MAX",
    "OBJECT_BYTES_MAX",
    "STORED_BYTES_MAX",
    "STREAM_SECONDS",
    "TURNS_MAX",
    "UNFINISHED",
    "ConversationFull",
    "ConversationRecord",
    "ConversationStore",
    "EventPage",
    "ItemPage",
    "ItemQuery",
    "KeptItem",
    "ResponseRecord",
    "ResponseStatus",
    "ResponseStore",
    "Turn",
    "TurnsTooLong",
]

OBJECT_BYTES_MAX: Final = 16 * 1024 * 1024
"""A response with its input items, and all turns together that one request can continue."""

CONVERSATION_BYTES_MAX: Final = 16 * 1024 * 1024
"""All items of a conversation together; a response may bring it beyond that, and then nothing more can be added."""

STORED_BYTES_MAX: Final = 8 * 1024 * 1024 * 1024
"""Everything together; beyond that the oldest go."""

TURNS_MAX: Final = 500
"""Responses of one chain that one request can continue."""

STREAM_SECONDS: Final = 86_400.0
"""The stream of a response is kept so long; what came of it is kept on."""

ResponseStatus = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]

UNFINISHED: Final[frozenset[ResponseStatus]] = frozenset({"queued", "in_progress"})


class TurnsTooLong(Exception):
    """A chain has more turns or more bytes than may be continued."""


class ConversationFull(Exception):
    """A conversation has no room for more items."""


class KeptItem(msgspec.Struct, frozen=True):
    """An item of a conversation; ``raw`` is a JSON object whose ``id`` is ``id``."""

    id: str
    raw: msgspec.Raw


class ResponseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A response. ``status`` counts, whatever ``body`` says.

    ``body`` is the response object and ``input_items`` an array of its own input, complete with ids; both JSON.
    ``worker`` is the number of the process that works on it in the background, None where it was answered at once.
    ``upstream`` tells the account whose server made the response itself, and ``upstream_id`` its name there, None
    where that server does not keep it.
    """

    id: str
    owner: str
    model: str
    status: ResponseStatus
    created_at: float
    expires_at: float
    body: msgspec.Raw
    input_items: msgspec.Raw = msgspec.Raw(b"[]")
    previous_response_id: str | None = None
    conversation_id: str | None = None
    worker: int | None = None
    upstream: str | None = None
    upstream_id: str | None = None


class Turn(msgspec.Struct, frozen=True):
    """One response of a chain, as far as a later one continues from it."""

    id: str
    status: ResponseStatus
    previous_response_id: str | None
    conversation_id: str | None
    input_items: msgspec.Raw
    body: msgspec.Raw
    upstream: str | None = None
    upstream_id: str | None = None


class EventPage(msgspec.Struct, frozen=True):
    """Events of a stream, each with its number, in order. With a status that is final and no events there are no more.

    ``is_last`` tells that no others were there behind these.
    """

    status: ResponseStatus
    events: tuple[tuple[int, bytes], ...]
    is_last: bool


class ResponseStore(Protocol):
    """Responses, and the streams of those that are worked on in the background."""

    async def put(
        self, record: ResponseRecord, added: Sequence[KeptItem] = (), *, kept: bool = True, named: Sequence[str] = ()
    ) -> None:
        """Keep a response that is there at once, and add ``added`` to its conversation, if that still exists.

        With ``kept`` False only the conversation is added to. The conversation then expires no earlier than the record.
        Where somebody else has a response with that id, it stays: some upstreams let their callers choose the id.
        ``named`` are the ids of items for :meth:`with_item`.
        """
        ...

    async def begin(self, record: ResponseRecord) -> None:
        """Keep a response that will be worked on in the background."""
        ...

    async def add_events(self, response_id: str, first: int, events: Sequence[bytes]) -> bool:
        """More of its stream; ``first`` is the number of the first of these. False: it is no longer to be worked on.

        Without events it only tells whether it still is.
        """
        ...

    async def finish(
        self,
        record: ResponseRecord,
        first: int,
        events: Sequence[bytes],
        added: Sequence[KeptItem] = (),
        named: Sequence[str] = (),
    ) -> bool:
        """The end of a response that was begun: its last events, what came of it, and the rest as in :meth:`put`.

        False, and nothing is changed, if it is not unfinished any more.
        """
        ...

    async def get(self, response_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        """The response."""
        ...

    async def with_item(self, item_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        """A response one of whose items was ``named`` so."""
        ...

    async def turns(self, response_id: str, owner: Owner, now: float) -> tuple[Turn, ...]:
        """The response and those before it in its chain, the newest first; empty: it is not there.

        If the last one names a previous response, that one is no longer there.

        Raises:
            TurnsTooLong: see :data:`TURNS_MAX` and :data:`OBJECT_BYTES_MAX`.
        """
        ...

    async def delete(self, response_id: str, owner: Owner, now: float) -> bool:
        """Remove the response with its stream; False: it was not there."""
        ...

    async def cancel(self, response_id: str, owner: Owner, now: float) -> ResponseRecord | None:
        """Mark it as cancelled if it is worked on in the background and unfinished; gives it as it now is."""
        ...

    async def events(
        self, response_id: str, owner: Owner, now: float, *, after: int, limit: int = 1000
    ) -> EventPage | None:
        """At least one event numbered above ``after``, if there is one; about ``limit`` at most."""
        ...

    async def fail_unfinished(self, worker: int, workers: int) -> int:
        """Mark as failed what ``worker``, or one beyond ``workers``, had begun and can no longer finish."""
        ...

    async def sweep(self, now: float, limit: int = 50, *, bytes_max: int = STORED_BYTES_MAX) -> int:
        """Remove a little of what has expired, and gives how much: 0 means that for now there is no more.

        At most ``limit`` responses and as many conversations, and some streams that are older than they are kept. While
        everything together is more than ``bytes_max``, what would expire next is taken to have expired.
        """
        ...


class ConversationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation; ``metadata`` is a JSON object."""

    id: str
    owner: str
    created_at: float
    expires_at: float
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


class ItemQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which items of a conversation: ``limit`` of them behind the one with the id ``after``."""

    after: str | None = None
    limit: int = 20
    order: Literal["asc", "desc"] = "desc"


class ItemPage(msgspec.Struct, frozen=True):
    """Some items, in the order asked for, and whether there are more behind them."""

    items: tuple[KeptItem, ...]
    has_more: bool


class ConversationStore(Protocol):
    """Conversations and their items, in the order in which they were added."""

    async def create(self, record: ConversationRecord, items: Sequence[KeptItem] = ()) -> None:
        """Keep a new conversation.

        Raises:
            ConversationFull: see :data:`CONVERSATION_BYTES_MAX`.
        """
        ...

    async def get(self, conversation_id: str, owner: Owner, now: float) -> ConversationRecord | None:
        """The conversation."""
        ...

    async def update(
        self, conversation_id: str, owner: Owner, now: float, metadata: msgspec.Raw
    ) -> ConversationRecord | None:
        """Replace its metadata, and give it as it now is."""
        ...

    async def delete(self, conversation_id: str, owner: Owner, now: float) -> bool:
        """Remove it with its items; responses stay. False: it was not there."""
        ...

    async def add(
        self, conversation_id: str, owner: Owner, now: float, items: Sequence[KeptItem], expires_at: float
    ) -> bool:
        """Add items; it then expires no earlier than ``expires_at``. False: it was not there.

        Raises:
            ConversationFull: see :data:`CONVERSATION_BYTES_MAX`.
        """
        ...

    async def history(self, conversation_id: str, owner: Owner, now: float) -> tuple[msgspec.Raw, ...] | None:
        """All items, the oldest first.

        Raises:
            ConversationFull: they are more than one request can continue.
        """
        ...

    async def page(self, conversation_id: str, owner: Owner, now: float, query: ItemQuery) -> ItemPage | None:
        """Some of its items; None: it is not there, or has no item with the id ``query.after``."""
        ...

    async def item(self, conversation_id: str, owner: Owner, now: float, item_id: str) -> KeptItem | None:
        """One of its items."""
        ...

    async def delete_item(self, conversation_id: str, owner: Owner, now: float, item_id: str) -> bool:
        """Remove one of its items; False: it was not there."""
        ...
