"""The routes of stored responses and conversations; a part of :mod:`pointsman.admin.table`."""

from __future__ import annotations

from typing import Any, Final

from pointsman.admin.inference_shapes import ModelResponse
from pointsman.admin.responses import conversations, shapes, showing
from pointsman.admin.route import Nothing, Route
from pointsman.core.identity import Scope
from pointsman.stores.response_ports import OBJECT_BYTES_MAX

__all__ = ["RESPONSE_ROUTES"]

_PREFIXES: Final = ("/v1", "", "/openai", "/openai/v1")


def _paths(suffix: str) -> tuple[str, ...]:
    return tuple(prefix + suffix for prefix in _PREFIXES)


_RESPONSES: Final[tuple[Route[Any, Any], ...]] = (
    # First those whose last part could be taken for an id.
    Route(
        "POST", _paths("/responses/input_tokens"), Scope.INFERENCE, showing.count_input_tokens,
        summary="Estimate the tokens that a response would begin with", tier="openai",
        query=Nothing, body=shapes.InputTokensRequest, reply=shapes.InputTokens,
    ).with_room(OBJECT_BYTES_MAX),
    Route(
        "GET", _paths("/responses/{response_id}"), Scope.INFERENCE, showing.show_response,
        summary="A stored response, or its stream", tier="openai",
        query=shapes.ResponseQuery, body=Nothing, reply=ModelResponse,
    ),
    Route(
        "DELETE", _paths("/responses/{response_id}"), Scope.INFERENCE, showing.delete_response,
        summary="Forget a response", tier="openai", query=Nothing, body=Nothing, reply=shapes.ResponseDeleted,
    ),
    Route(
        "POST", _paths("/responses/{response_id}/cancel"), Scope.INFERENCE, showing.cancel_response,
        summary="Break off a response in the background", tier="openai",
        query=Nothing, body=Nothing, reply=ModelResponse,
    ),
    Route(
        "GET", _paths("/responses/{response_id}/input_items"), Scope.INFERENCE, showing.list_input_items,
        summary="What a response was asked with", tier="openai",
        query=shapes.ItemsQuery, body=Nothing, reply=shapes.ItemList,
    ),
)  # fmt: skip

_CONVERSATIONS: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "POST", _paths("/conversations"), Scope.INFERENCE, conversations.create_conversation,
        summary="Begin a conversation", tier="openai", query=Nothing, body=shapes.ConversationRequest,
        reply=shapes.Conversation,
    ).with_room(OBJECT_BYTES_MAX),
    Route(
        "GET", _paths("/conversations/{conversation_id}"), Scope.INFERENCE, conversations.show_conversation,
        summary="A conversation", tier="openai", query=Nothing, body=Nothing, reply=shapes.Conversation,
    ),
    Route(
        "POST", _paths("/conversations/{conversation_id}"), Scope.INFERENCE, conversations.update_conversation,
        summary="Change a conversation's metadata", tier="openai",
        query=Nothing, body=shapes.MetadataRequest, reply=shapes.Conversation,
    ),
    Route(
        "DELETE", _paths("/conversations/{conversation_id}"), Scope.INFERENCE, conversations.delete_conversation,
        summary="Forget a conversation", tier="openai", query=Nothing, body=Nothing, reply=shapes.ConversationDeleted,
    ),
    Route(
        "GET", _paths("/conversations/{conversation_id}/items"), Scope.INFERENCE, conversations.list_items,
        summary="A conversation's items", tier="openai", query=shapes.ItemsQuery, body=Nothing, reply=shapes.ItemList,
    ),
    Route(
        "POST", _paths("/conversations/{conversation_id}/items"), Scope.INFERENCE, conversations.add_items,
        summary="Add items to a conversation", tier="openai",
        query=Nothing, body=shapes.ItemsRequest, reply=shapes.ItemList,
    ).with_room(OBJECT_BYTES_MAX),
    Route(
        "GET", _paths("/conversations/{conversation_id}/items/{item_id}"), Scope.INFERENCE, conversations.show_item,
        summary="One item of a conversation", tier="openai", query=Nothing, body=Nothing, reply=dict[str, Any],
    ),
    Route(
        "DELETE", _paths("/conversations/{conversation_id}/items/{item_id}"), Scope.INFERENCE,
        conversations.delete_item,
        summary="Remove an item from a conversation", tier="openai",
        query=Nothing, body=Nothing, reply=shapes.Conversation,
    ),
)  # fmt: skip

RESPONSE_ROUTES: Final = (*_RESPONSES, *_CONVERSATIONS)
