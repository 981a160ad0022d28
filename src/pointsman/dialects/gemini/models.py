"""What clients of Gemini ask about models: https://ai.google.dev/api/models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

__all__ = ["ListedModel", "write_model", "write_models"]

_encode: Final = msgspec.json.Encoder().encode

_CHATS: Final = ("generateContent", "countTokens")
_EMBEDS: Final = ("embedContent", "countTokens")


class ListedModel(msgspec.Struct, frozen=True):
    """A model: the name by which clients ask for it, and the longest prompt and answer in tokens, where known."""

    name: str
    embeds: bool = False
    thinks: bool = False
    input_tokens_max: int | None = None
    output_tokens_max: int | None = None


def write_model(model: ListedModel) -> bytes:
    """The body of ``GET /v1beta/models/{model}``."""
    return _encode(_described(model))


def write_models(models: Sequence[ListedModel], next_page_token: str | None = None) -> bytes:
    """The body of ``GET /v1beta/models``; the token says where the next page begins, if there is one."""
    body: dict[str, object] = {"models": [_described(model) for model in models]}
    if next_page_token is not None:
        body["nextPageToken"] = next_page_token
    return _encode(body)


def _described(model: ListedModel) -> dict[str, object]:
    limits = {"inputTokenLimit": model.input_tokens_max, "outputTokenLimit": model.output_tokens_max}
    return {
        "name": f"models/{model.name}",
        "version": "001",
        "displayName": model.name,
        "supportedGenerationMethods": _EMBEDS if model.embeds else _CHATS,
        **({"thinking": True} if model.thinks else {}),
        **{name: value for name, value in limits.items() if value is not None},
    }
