"""Stored responses: shown, followed, cancelled, deleted; and what a response would begin with, counted."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.accounting.estimate import estimate_body, estimate_text
from pointsman.admin.office import Office
from pointsman.admin.responses.shapes import (
    InputTokens,
    InputTokensRequest,
    ItemsQuery,
    ResponseDeleted,
    ResponseQuery,
)
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed, NotFound, Unsupported
from pointsman.dialects.openai_responses.items import read_input
from pointsman.dialects.openai_responses.keeping import told_response
from pointsman.dialects.openai_responses.listing import write_item_list
from pointsman.dialects.openai_responses.response import ResponseRequest
from pointsman.dialects.openai_responses.types import ConversationFields
from pointsman.providers.stateful import ResponseBook, follow
from pointsman.stores.response_ports import STREAM_SECONDS, UNFINISHED, ResponseRecord

__all__ = [
    "cancel_response",
    "count_input_tokens",
    "delete_response",
    "demand_book",
    "list_input_items",
    "show_response",
]

_SHOWN_CHARACTERS_MAX: Final = 80
_TELLING: Final = "text/event-stream"
_NO_BUFFER: Final = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))
_COUNTED: Final = ("input", "instructions", "tools", "text")

_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def demand_book(office: Office) -> ResponseBook:
    """Where responses are stored.

    Raises:
        Unsupported: nowhere.
    """
    book = office.book
    if book is None or not book.retention_days:
        hint = "Ask the operator to set response_retention_days."
        raise Unsupported("This gateway stores no responses.", hint=hint, code="responses_not_stored")
    return book


async def show_response(office: Office, visit: Visit[ResponseQuery, Nothing]) -> Answer:
    """A response as it is now; or its stream, from the beginning or from where a client lost it."""
    book, owner = demand_book(office), visit.caller.owner
    record = await book.responses.get(visit.path["response_id"], owner, office.clock.wall())
    if record is None:
        raise _not_found(visit)
    if not visit.query.stream:
        return _told(record)
    if record.worker is None:
        raise Malformed(
            "Only a response that was made in the background can be streamed again.",
            hint="Leave stream out.",
            param="stream",
        )
    if record.status not in UNFINISHED and record.created_at <= office.clock.wall() - STREAM_SECONDS:
        raise Malformed("The stream of this response is no longer kept.", hint="Leave stream out.", param="stream")
    after = -1 if visit.query.starting_after is None else visit.query.starting_after
    events = follow(book.responses, record.id, owner, office.clock, after)
    return Answer(stream=events, media_type=_TELLING, headers=_NO_BUFFER)


async def delete_response(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Forget a response; work on it that goes on ends."""
    response_id = visit.path["response_id"]
    if not await demand_book(office).responses.delete(response_id, visit.caller.owner, office.clock.wall()):
        raise _not_found(visit)
    office.stop_job(response_id)
    return Answer(ResponseDeleted(response_id))


async def cancel_response(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Break off the work on a response in the background; one that is finished stays as it is."""
    response_id = visit.path["response_id"]
    record = await demand_book(office).responses.cancel(response_id, visit.caller.owner, office.clock.wall())
    if record is None:
        raise _not_found(visit)
    if record.worker is None:
        raise Malformed(
            "Cannot cancel a synchronous response.", hint="Only those made with background: true can be cancelled."
        )
    office.stop_job(response_id)
    return _told(record)


async def list_input_items(office: Office, visit: Visit[ItemsQuery, Nothing]) -> Answer:
    """A page of the items that a response was asked with."""
    record = await demand_book(office).responses.get(visit.path["response_id"], visit.caller.owner, office.clock.wall())
    if record is None:
        raise _not_found(visit)
    query = visit.query
    items = _decode_items(record.input_items)
    return Answer(write_item_list(items, after=query.after, limit=query.limit, order=query.order))


async def count_input_tokens(office: Office, visit: Visit[Nothing, InputTokensRequest]) -> Answer:
    """An estimate of the tokens that a response would begin with, those included that it continues."""
    body = visit.body
    read_input(body.input)
    conversation = body.conversation.id if isinstance(body.conversation, ConversationFields) else body.conversation
    if conversation and body.previous_response_id:
        message = "previous_response_id and conversation exclude each other."
        raise Malformed(message, hint="Send one of them.", param="conversation")
    tokens = sum(estimate_body(bytes(visit.fields[name])) for name in _COUNTED[2:] if name in visit.fields)
    tokens += estimate_text(body.instructions) if body.instructions else 0
    tokens += estimate_text(body.input) if isinstance(body.input, str) else estimate_body(_encode(body.input or ()))
    if conversation or body.previous_response_id:
        continued = ResponseRequest(
            id="", created_at=0, previous_response_id=body.previous_response_id, conversation=conversation
        )
        history = await demand_book(office).history(continued, visit.caller.owner)
        tokens += estimate_body(_encode(history))
    return Answer(InputTokens(tokens))


def _told(record: ResponseRecord) -> Answer:
    return Answer(bytes(told_response(record.body, record.status)))


def _not_found(visit: Visit[ResponseQuery, Nothing] | Visit[ItemsQuery, Nothing] | Visit[Nothing, Nothing]) -> NotFound:
    shown = visit.path["response_id"][:_SHOWN_CHARACTERS_MAX]
    return NotFound(f"Response with id '{shown}' not found.", kind="invalid_request_error")
