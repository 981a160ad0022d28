"""Calls by a name that a client knows: its id, which is in ``x-litellm-call-id``, or the ``id`` in its answer."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.admin.office import Office
from pointsman.core.outcome import CallRecord
from pointsman.stores.ports import LedgerQuery

__all__ = ["named_calls"]

_NAMESAKES_MAX: Final = 100
"""Calls whose answers have the same id; Ollama, for one, has only a thousand of them."""


async def named_calls(office: Office, query: LedgerQuery) -> tuple[CallRecord, ...]:
    """The calls with the id that ``query`` has as ``call_id``, or whose answers have it; the latest first."""
    found = await office.ledger.find(msgspec.structs.replace(query, limit=1, offset=0))
    if found:
        return found
    query = msgspec.structs.replace(query, call_id=None, answer_id=query.call_id, limit=_NAMESAKES_MAX, offset=0)
    return await office.ledger.find(query)
