"""Which key is meant: by itself, by the hash it is stored under, or by its alias."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pointsman.admin.office import Office
from pointsman.admin.route import Visit
from pointsman.core.errors import NotFound
from pointsman.core.identity import KeyRecord, token_of
from pointsman.stores.ports import KeyQuery

__all__ = ["FLUSH_SECONDS_MAX", "changed_by", "existing_key", "flushed", "token_meant", "tokens_of_aliases"]

FLUSH_SECONDS_MAX: Final = 1.0
"""How long an answer waits for what is spooled; with a database that is slower than this it may be a moment behind."""

_CHANGED_BY_CHARACTERS_MAX: Final = 256


def token_meant(text: str) -> str:
    """The hash of a key; what does not start with ``sk-`` is the hash already, as in LiteLLM."""
    return token_of(text) if text.startswith("sk-") else text


async def existing_key(office: Office, token: str) -> KeyRecord:
    """The live key under this hash.

    Raises:
        NotFound: there is none.
    """
    record = await office.keys.get(token)
    if record is None:
        raise NotFound("Key not found.", hint="Name it by itself or by its hash; GET /key/list has all.", param="key")
    return record


async def tokens_of_aliases(office: Office, aliases: tuple[str, ...]) -> dict[str, str]:
    """Alias → hash, for those that a live key has."""
    found: dict[str, str] = {}
    for alias in dict.fromkeys(aliases):
        page = await office.keys.find(KeyQuery(key_alias=alias, size=1, counted=False))
        for record in page.records:
            found[alias] = record.token
    return found


async def flushed(office: Office) -> None:
    """Wait until what is spooled is in the ledger, but not for long."""
    try:
        async with asyncio.timeout(FLUSH_SECONDS_MAX):
            await office.flush()
    except TimeoutError:
        return


def changed_by(visit: Visit[Any, Any], fallback: str = "master") -> str:
    """Who made a change, for the record: LiteLLM's header ``litellm-changed-by``, or the caller's alias."""
    claimed = visit.headers.get("litellm-changed-by", "")[:_CHANGED_BY_CHARACTERS_MAX]
    return claimed if claimed and claimed.isprintable() else visit.caller.record.key_alias or fallback
