"""How a call record lies in the tables: a narrow row, which refers to what many calls have in common.

A call costs as little as it does because most of what it says was said before: its context (key, route, deployment,
...) has a row of its own, and so has the first part of its id. This process remembers the rows it met, up to a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final, TypeAlias

import apsw
import msgspec

from pointsman.core.outcome import CallRecord
from pointsman.core.usage import Usage
from pointsman.stores.sqlite.statements import (
    ADD_CALL,
    ADD_CALLS,
    ADD_CONTEXT,
    ADD_ORIGIN,
    ADD_PARTY,
    CALLS_AT_ONCE,
    FIND_CONTEXT,
    FIND_ORIGIN,
    FIND_PARTY,
)

__all__ = ["USAGE_COLUMNS", "Filing", "Known", "id_of", "record_of"]

_REMEMBERED_MAX: Final = 4_096
"""Contexts, and origins, that are remembered."""
_MADE_MAX: Final = 10_000
"""Contexts that one process makes; a client may be free to choose model names, and a table of them has no end."""

_NAMES: Final = ("model_requested", "model_group", "deployment_id", "model")
_NO_NAMES: Final = ("",) * len(_NAMES)

_Context: TypeAlias = tuple[Any, ...]
_context_of: Final = attrgetter(
    "key_token", "user_id", "key_alias", "team_id", "operation", "route", "status", "stream", "usage.source", "provider",
    "api_base", "tags", *_NAMES
)  # fmt: skip
_Row: TypeAlias = tuple[Any, ...]

USAGE_COLUMNS: Final = (
    ("prompt", "prompt_tokens"),
    ("completion", "completion_tokens"),
    ("cached", "cached_tokens"),
    ("cache_write", "cache_write_tokens"),
    ("reasoning", "reasoning_tokens"),
    ("audio_input", "audio_input_tokens"),
    ("audio_output", "audio_output_tokens"),
    ("source", "usage_source"),
)


class Known:
    """What was committed over ``connection`` and is remembered: contexts as (party, context), origins as their id."""

    __slots__ = ("connection", "contexts", "made", "origins")

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.contexts: dict[_Context, tuple[int, int]] = {}
        self.origins: dict[str, int] = {}
        self.made = 0

    def learn(self, filing: Filing) -> None:
        """Remember what ``filing`` met. To be called when its transaction is committed, and only then."""
        if len(self.contexts) + len(filing.contexts) > _REMEMBERED_MAX:
            self.contexts = {}
        if len(filing.contexts) <= _REMEMBERED_MAX:
            self.contexts.update(filing.contexts)
        if len(self.origins) + len(filing.origins) > _REMEMBERED_MAX:
            self.origins = {}
        if len(filing.origins) <= _REMEMBERED_MAX:
            self.origins.update(filing.origins)
        self.made += filing.made


class _Place:
    """Where calls of one kind go, and those that went there."""

    __slots__ = ("context", "names", "party", "records")

    def __init__(self, party: int, context: int, names: str | None) -> None:
        self.party = party
        self.context = context
        self.names = names
        self.records: list[CallRecord] = []


class Filing:
    """Adds calls within one transaction, which has the write lock: what is looked for and missing, nobody else adds."""

    def __init__(self, known: Known) -> None:
        self.contexts: dict[_Context, tuple[int, int]] = {}
        self.origins: dict[str, int] = {}
        self.made = 0
        self.connection = known.connection
        self._known = known
        self._places: dict[_Context, _Place] = {}

    def add(self, records: Sequence[CallRecord]) -> int:
        """Add calls, save those that are known already, and give the number of new ones. One pass, many at a time.

        Raises:
            OverflowError: a number has more than 63 bits.
            apsw.ConstraintError, TypeError, UnicodeEncodeError: a value is of the wrong kind.
        """
        added = 0
        whole = len(records) - len(records) % CALLS_AT_ONCE
        for start in range(0, whole, CALLS_AT_ONCE):
            values: list[Any] = []
            for record in records[start : start + CALLS_AT_ONCE]:
                values += self._row(record)
            self.connection.execute(ADD_CALLS, values)
            added += self.connection.changes()
        before = self.connection.total_changes()
        rows = list(map(self._row, records[whole:]))
        made = self.connection.total_changes() - before
        self.connection.executemany(ADD_CALL, rows)
        return added + self.connection.total_changes() - before - made

    def add_one(self, record: CallRecord) -> bool:
        """Add one call; whether it is new. Errors are those of :meth:`add`."""
        self.connection.execute(ADD_CALL, self._row(record))
        return self.connection.changes() > 0

    def sets(self) -> Iterable[list[CallRecord]]:
        """The records that came, those of one context together."""
        return [place.records for place in self._places.values()]

    def _row(self, record: CallRecord) -> _Row:
        """The values for ``ADD_CALL``, in its order."""
        context = _context_of(record)
        place = self._places.get(context)
        if place is None:
            place = self._places[context] = self._place(context)
        place.records.append(record)
        prefix, number = _split(record.call_id)
        origin = self.origins.get(prefix) if number is not None else None
        if origin is None:
            origin = self._origin(prefix, number)
        usage, prompt, reply = record.usage, record.prompt, record.reply
        return (
            (origin << 32) + (number or 0),
            place.party,
            place.context,
            record.started_at,
            record.ended_at,
            record.first_token_at,
            record.http_status,
            record.attempts,
            record.overhead_ms,
            record.cost,
            usage.prompt,
            usage.completion,
            usage.cached,
            usage.cache_write,
            usage.reasoning,
            usage.audio_input,
            usage.audio_output,
            record.peer,
            record.end_user,
            record.error_code,
            record.error_message,
            place.names,
            None if prompt is None else bytes(prompt).decode("utf-8", "replace"),
            None if reply is None else bytes(reply).decode("utf-8", "replace"),
        )

    def _place(self, context: _Context) -> _Place:
        """Find or make the context in the table; without the names where a client has chosen them."""
        names = context[-len(_NAMES) :]
        found = self._context(context, make=self._known.made + self.made < _MADE_MAX) if names[2] else None
        if found is not None:
            return _Place(*found, None)
        found = self._context(context[: -len(_NAMES)] + _NO_NAMES, make=True)
        return _Place(*found, msgspec.json.encode(names).decode() if names != _NO_NAMES else None)

    def _context(self, context: _Context, *, make: bool) -> tuple[int, int] | None:
        found = self._known.contexts.get(context) or self.contexts.get(context)
        if found is None:
            digest = blake2b(msgspec.json.encode(context), digest_size=16).digest()
            found = self.connection.execute(FIND_CONTEXT, (digest,)).fetchone()
            if found is None and make:
                key_token, user_id, *others = context
                others[-5] = msgspec.json.encode(others[-5]).decode()
                values = (digest, self._party(key_token, user_id), *others)
                found = self.connection.execute(ADD_CONTEXT, values).fetchone()
                self.made += 1
        if found is not None:
            self.contexts[context] = found
        return found

    def _party(self, key_token: str, user_id: str | None) -> int:
        found = self.connection.execute(FIND_PARTY, (key_token, user_id)).fetchone()
        if found is None:
            found = self.connection.execute(ADD_PARTY, (key_token, user_id)).fetchone()
        return int(found[0])

    def _origin(self, prefix: str, number: int | None) -> int:
        origin = self._known.origins.get(prefix) if number is not None else None
        if origin is None:
            numbered = number is not None
            found = self.connection.execute(FIND_ORIGIN, (prefix, numbered)).fetchone()
            if found is None:
                found = self.connection.execute(ADD_ORIGIN, (prefix, numbered)).fetchone()
            origin = int(found[0])
        if number is not None:
            self.origins[prefix] = origin
        return origin


def _split(call_id: str) -> tuple[str, int | None]:
    """The two parts of an id that ends in eight lower-case hexadecimal digits; of any other, the whole and None."""
    last = call_id[-8:]
    try:
        number = int(last, 16)
    except ValueError:
        return call_id, None
    return (call_id[:-8], number) if f"{number:08x}" == last else (call_id, None)


def id_of(connection: apsw.Connection, call_id: str) -> int | None:
    """The ``id`` under which a call would be in the table; None: it is not there."""
    prefix, number = _split(call_id)
    found = connection.execute(FIND_ORIGIN, (prefix, number is not None)).fetchone()
    return None if found is None else (int(found[0]) << 32) + (number or 0)


def record_of(row: dict[str, Any]) -> CallRecord:
    """A row of ``call_records``, by column names, as it was recorded."""
    del row["id"]
    row["usage"] = Usage(**{field: row.pop(column) for field, column in USAGE_COLUMNS})
    row["tags"] = msgspec.json.decode(row["tags"])
    row["stream"] = bool(row["stream"])
    names, prompt, reply = row.pop("names"), row.pop("prompt"), row.pop("reply")
    if names is not None:
        row.update(zip(_NAMES, msgspec.json.decode(names), strict=True))
    record = msgspec.convert(row, CallRecord)
    # Set afterwards, since msgspec does not convert to a union with Raw.
    record.prompt = None if prompt is None else msgspec.Raw(prompt.encode())
    record.reply = None if reply is None else msgspec.Raw(reply.encode())
    return record
