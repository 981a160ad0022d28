"""Conversations and their items."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.admin.office import Office
from pointsman.admin.responses.shapes import (
    Conversation,
    ConversationDeleted,
    ConversationRequest,
    ItemsQuery,
    ItemsRequest,
    MetadataRequest,
)
from pointsman.admin.responses.showing import demand_book
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.clock import short_id
from pointsman.core.errors import Malformed, NotFound
from pointsman.dialects.openai_responses.items import read_input
from pointsman.dialects.openai_responses.listing import complete_items, item_id, write_page
from pointsman.stores.response_ports import ConversationFull, ConversationRecord, ItemQuery, KeptItem

__all__ = [
    "add_items",
    "create_conversation",
    "delete_conversation",
    "delete_item",
    "list_items",
    "show_conversation",
    "show_item",
    "update_conversation",
]

_SHOWN_CHARACTERS_MAX: Final = 80

_encode: Final = msgspec.json.Encoder().encode


async def create_conversation(office: Office, visit: Visit[Nothing, ConversationRequest]) -> Answer:
    """A new conversation."""
    book = demand_book(office)
    record = ConversationRecord(
        id=short_id("conv_"),
        owner=visit.caller.owner.token,
        created_at=float(int(office.clock.wall())),
        expires_at=book.expiry(),
        metadata=msgspec.Raw(_encode(visit.body.metadata or {})),
    )
    try:
        await book.conversations.create(record, _kept(visit.body.items or ()))
    except ConversationFull:
        raise _full() from None
    return _told(record)


async def show_conversation(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """A conversation, without its items."""
    return _told(await _demand(office, visit))


async def update_conversation(office: Office, visit: Visit[Nothing, MetadataRequest]) -> Answer:
    """Replace a conversation's metadata."""
    conversation_id, metadata = visit.path["conversation_id"], msgspec.Raw(_encode(visit.body.metadata or {}))
    record = await demand_book(office).conversations.update(
        conversation_id, visit.caller.owner, office.clock.wall(), metadata
    )
    if record is None:
        raise _not_found(conversation_id)
    return _told(record)


async def delete_conversation(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Forget a conversation with its items; responses that were made in it stay."""
    conversation_id = visit.path["conversation_id"]
    if not await demand_book(office).conversations.delete(conversation_id, visit.caller.owner, office.clock.wall()):
        raise _not_found(conversation_id)
    return Answer(ConversationDeleted(conversation_id))


async def list_items(office: Office, visit: Visit[ItemsQuery, Nothing]) -> Answer:
    """A page of a conversation's items."""
    book, query = demand_book(office), visit.query
    conversation_id, owner, now = visit.path["conversation_id"], visit.caller.owner, office.clock.wall()
    asked = ItemQuery(after=query.after, limit=query.limit, order=query.order)
    page = await book.conversations.page(conversation_id, owner, now, asked)
    if page is None:
        if await book.conversations.get(conversation_id, owner, now) is None:
            raise _not_found(conversation_id)
        shown = (query.after or "")[:_SHOWN_CHARACTERS_MAX]
        raise Malformed(f"after names '{shown}', which is not in the conversation.", param="after")
    return Answer(write_page([item.raw for item in page.items], has_more=page.has_more))


async def add_items(office: Office, visit: Visit[Nothing, ItemsRequest]) -> Answer:
    """Add items to the end of a conversation."""
    book, conversation_id = demand_book(office), visit.path["conversation_id"]
    items = _kept(visit.body.items)
    try:
        added = await book.conversations.add(
            conversation_id, visit.caller.owner, office.clock.wall(), items, book.expiry()
        )
    except ConversationFull:
        raise _full() from None
    if not added:
        raise _not_found(conversation_id)
    return Answer(write_page([item.raw for item in items], has_more=False))


async def show_item(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """One item of a conversation."""
    await _demand(office, visit)
    wanted = visit.path["item_id"]
    item = await demand_book(office).conversations.item(
        visit.path["conversation_id"], visit.caller.owner, office.clock.wall(), wanted
    )
    if item is None:
        raise _no_item(wanted)
    return Answer(bytes(item.raw))


async def delete_item(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Remove one item; gives the conversation."""
    record = await _demand(office, visit)
    wanted = visit.path["item_id"]
    if not await demand_book(office).conversations.delete_item(
        record.id, visit.caller.owner, office.clock.wall(), wanted
    ):
        raise _no_item(wanted)
    return _told(record)


def _kept(items: Iterable[msgspec.Raw]) -> tuple[KeptItem, ...]:
    """Items as they are kept.

    Raises:
        Malformed, Unsupported: one could not be read again; ``param`` is its path.
    """
    given = tuple(items)
    read_input(given, "items")
    return tuple(KeptItem(item_id(raw), raw) for raw in complete_items(given, short_id("")))


async def _demand(office: Office, visit: Visit[Nothing, Nothing]) -> ConversationRecord:
    conversation_id = visit.path["conversation_id"]
    record = await demand_book(office).conversations.get(conversation_id, visit.caller.owner, office.clock.wall())
    if record is None:
        raise _not_found(conversation_id)
    return record


def _told(record: ConversationRecord) -> Answer:
    return Answer(Conversation(record.id, int(record.created_at), record.metadata))


def _not_found(conversation_id: str) -> NotFound:
    shown = conversation_id[:_SHOWN_CHARACTERS_MAX]
    return NotFound(f"Conversation with id '{shown}' not found.", kind="invalid_request_error")


def _no_item(wanted: str) -> NotFound:
    message = f"Item with id '{wanted[:_SHOWN_CHARACTERS_MAX]}' not found in this conversation."
    return NotFound(message, kind="invalid_request_error")


def _full() -> Malformed:
    hint = "Delete some of its items, or begin a new one."
    return Malformed("The conversation has no room for these items.", hint=hint, param="items")
