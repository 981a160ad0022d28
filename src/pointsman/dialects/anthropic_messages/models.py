"""What clients of Anthropic ask about models: https://platform.claude.com/docs/en/api/models/list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

__all__ = ["ListedModel", "write_model", "write_models"]

_encode: Final = msgspec.json.Encoder().encode

_CREATED: Final = "1970-01-01T00:00:00Z"
"""Anthropic says this of a model whose release date is not known."""


class ListedModel(msgspec.Struct, frozen=True):
    """A model: the name by which clients ask for it, and the longest prompt and answer in tokens, where known."""

    name: str
    input_tokens_max: int | None = None
    output_tokens_max: int | None = None


def write_model(model: ListedModel) -> bytes:
    """The body of ``GET /v1/models/{model}``."""
    return _encode(_described(model))


def write_models(models: Sequence[ListedModel], *, has_more: bool = False) -> bytes:
    """The body of ``GET /v1/models``; ``has_more``: others follow the last of these."""
    return _encode({
        "data": [_described(model) for model in models],
        "has_more": has_more,
        "first_id": models[0].name if models else None,
        "last_id": models[-1].name if models else None,
    })  # fmt: skip


def _described(model: ListedModel) -> dict[str, object]:
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.name,
        "created_at": _CREATED,
        "max_input_tokens": model.input_tokens_max,
        "max_tokens": model.output_tokens_max,
    }
