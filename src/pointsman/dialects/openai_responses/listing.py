"""The input items of a stored response, as ``GET /v1/responses/{id}/input_items`` lists them.

Source: https://platform.openai.com/docs/api-reference/responses/input-items.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from pointsman.core.errors import Malformed
from pointsman.dialects.openai_responses.response import ResponseRequest

__all__ = ["ITEMS_MAX", "complete_items", "input_items", "item_id", "write_item_list", "write_page"]

ITEMS_MAX: Final = 100
"""OpenAI's bound on ``limit``."""

_encode: Final = msgspec.json.Encoder().encode
_decode_item: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode

_MESSAGE: Final = msgspec.Raw(b'"message"')
_ASSISTANT: Final = msgspec.Raw(b'"assistant"')
_COMPLETED: Final = msgspec.Raw(b'"completed"')
_NULL: Final = msgspec.Raw(b"null")
_QUOTE: Final = ord('"')

_PREFIXES: Final = {
    "message": "msg_",
    "reasoning": "rs_",
    "compaction": "cmp_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
}
_STATELESS: Final = frozenset({"reasoning", "compaction"})
"""Types of items that OpenAI lists without a status."""


def input_items(request: ResponseRequest) -> tuple[msgspec.Raw, ...]:
    """The input of a request as items that are complete: each with its type, an id, and content in parts.

    Everything else stays as the client sent it. Ids that are missing are made from the response's.
    """
    given = request.input
    if isinstance(given, str):
        given = (msgspec.Raw(_encode({"role": "user", "content": given})),) if given else ()
    return complete_items(given, request.id.removeprefix("resp_"))


def complete_items(items: Iterable[msgspec.Raw], suffix: str) -> tuple[msgspec.Raw, ...]:
    """Items as clients send them, made complete; ``suffix`` is what the ids have in common that are made here."""
    return tuple(_completed(_decode_item(raw), f"{suffix}i{index:02x}") for index, raw in enumerate(items))


def _completed(item: dict[str, msgspec.Raw], suffix: str) -> msgspec.Raw:
    said = {name: raw for name, raw in item.items() if raw != _NULL}
    kind_raw = said.setdefault("type", _MESSAGE)
    kind = _decode_text(kind_raw)
    made: dict[str, object] = {"id": _PREFIXES.get(kind, "item_") + suffix}
    if kind not in _STATELESS:
        made["status"] = _COMPLETED
    content = said.get("content")
    if kind == "message" and content is not None and memoryview(content)[0] == _QUOTE:
        part: dict[str, object] = {"type": "input_text", "text": content}
        if said.get("role") == _ASSISTANT:
            part = {"type": "output_text", "text": content, "annotations": []}
        said["content"] = msgspec.Raw(_encode([part]))
    return msgspec.Raw(_encode(made | said))


class _Identified(msgspec.Struct):
    id: str


_decode_id: Final = msgspec.json.Decoder(_Identified).decode


def item_id(raw: msgspec.Raw) -> str:
    """The id of a complete item."""
    return _decode_id(raw).id


def write_page(items: Sequence[msgspec.Raw], *, has_more: bool) -> bytes:
    """A list of complete items, in the order given."""
    return _encode({
        "object": "list",
        "data": items,
        "first_id": item_id(items[0]) if items else None,
        "last_id": item_id(items[-1]) if items else None,
        "has_more": has_more,
    })  # fmt: skip


def write_item_list(
    items: Sequence[msgspec.Raw],
    *,
    after: str | None = None,
    limit: int = 20,
    order: Literal["asc", "desc"] = "desc",
) -> bytes:
    """A page of stored items.

    Args:
        items: All items, the oldest first, as :func:`input_items` gives them.
        after: The id behind which the page begins.
        limit: How many items it has at most.
        order: Whether it begins with the newest.

    Raises:
        Malformed: ``limit`` is out of bounds, or no item has the id ``after``.
    """
    if not 1 <= limit <= ITEMS_MAX:
        raise Malformed(f"limit must be between 1 and {ITEMS_MAX}.", param="limit")
    ordered = list(items) if order == "asc" else list(reversed(items))
    ids = [_decode_id(raw).id for raw in ordered]
    start = 0
    if after is not None:
        if after not in ids:
            raise Malformed(f"after names '{after[:80]}', which is not in the list.", param="after")
        start = ids.index(after) + 1
    return write_page(ordered[start : start + limit], has_more=start + limit < len(ids))
