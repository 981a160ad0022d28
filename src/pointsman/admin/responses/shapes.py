"""What the routes of stored responses and conversations take and give.

Sources: https://platform.openai.com/docs/api-reference/responses and
https://platform.openai.com/docs/api-reference/conversations. Parameters of a query that are not here (``include``)
change nothing: everything there is, is always told.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from pointsman.dialects.openai_responses.listing import ITEMS_MAX
from pointsman.dialects.openai_responses.types import ConversationFields, Metadata

__all__ = [
    "Conversation",
    "ConversationDeleted",
    "ConversationRequest",
    "InputTokens",
    "InputTokensRequest",
    "ItemList",
    "ItemsQuery",
    "ItemsRequest",
    "MetadataRequest",
    "ResponseDeleted",
    "ResponseQuery",
]

_ADDED_MAX: Final = 20
"""OpenAI's bound on the items that are added at a time."""

_Added = Annotated[list[msgspec.Raw], msgspec.Meta(max_length=_ADDED_MAX)]


class ResponseQuery(msgspec.Struct, frozen=True):
    """``stream``: its events, those numbered above ``starting_after``."""

    stream: bool = False
    starting_after: Annotated[int, msgspec.Meta(ge=0)] | None = None


class ResponseDeleted(msgspec.Struct, frozen=True):
    """It is gone."""

    id: str
    object: Literal["response"] = "response"
    deleted: bool = True


class ItemsQuery(msgspec.Struct, frozen=True):
    """A page of items: ``limit`` of them behind the one with the id ``after``."""

    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=ITEMS_MAX)] = 20
    order: Literal["asc", "desc"] = "desc"


class ItemList(msgspec.Struct, frozen=True):
    """Items in the order asked for."""

    object: Literal["list"]
    data: list[dict[str, msgspec.Raw]]
    first_id: str | None
    last_id: str | None
    has_more: bool


class InputTokensRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a response that is not to be made, as far as its tokens go."""

    model: str | None = None
    input: str | list[msgspec.Raw] | None = None
    instructions: str | None = None
    tools: list[msgspec.Raw] | None = None
    text: dict[str, msgspec.Raw] | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationFields | None = None


class InputTokens(msgspec.Struct, frozen=True):
    """An estimate, by characters and script; no tokenizer is asked."""

    input_tokens: int
    object: Literal["response.input_tokens"] = "response.input_tokens"


class ConversationRequest(msgspec.Struct, frozen=True):
    """A new conversation, with up to 20 items."""

    items: _Added | None = None
    metadata: Metadata | None = None


class MetadataRequest(msgspec.Struct, frozen=True):
    """Metadata in place of what there is."""

    metadata: Metadata | None


class ItemsRequest(msgspec.Struct, frozen=True):
    """Up to 20 more items."""

    items: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=_ADDED_MAX)]


class Conversation(msgspec.Struct, frozen=True):
    """A conversation; ``created_at`` in seconds since the epoch."""

    id: str
    created_at: int
    metadata: msgspec.Raw
    object: Literal["conversation"] = "conversation"


class ConversationDeleted(msgspec.Struct, frozen=True):
    """It is gone."""

    id: str
    object: Literal["conversation.deleted"] = "conversation.deleted"
    deleted: bool = True
