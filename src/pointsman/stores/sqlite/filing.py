"""How a call record lies in the tables: a narrow row, which refers to what many calls have in common.

A call costs as little as it does because most of what it says was said before: its context (key, route, deployment,
...) has a row of its own, and so has the first part of its id. This process remembers the rows it met, up to a bound.
"""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw
import msgspec

from pointsman.core.outcome import CallRecord
from pointsman.core.trace import RouteTrace
from pointsman.core.usage import Units
from pointsman.stores.activity import Line
from pointsman.stores.call_rows import (
    CONTEXTS_MADE_MAX,
    NAMES,
    NO_NAMES,
    REMEMBERED_MAX,
    SELDOM_COUNTS,
    SELDOM_TEXTS,
    Context,
    content_text,
    context_of,
    digest_of,
    seldom_of,
    split_call_id,
    usual_of,
)
from pointsman.stores.records import saturated
from pointsman.stores.sqlite.activity_statements import ADD_LINE, FIND_LINE
from pointsman.stores.sqlite.statements import (
    ADD_CALL,
    ADD_CALLS,
    ADD_CONTENTS,
    ADD_CONTEXT,
    ADD_ORIGIN,
    ADD_PARTY,
    ADD_SECONDS,
    FIND_CONTEXT,
    FIND_ORIGIN,
    FIND_PARTY,
)

__all__ = ["Filing", "Known", "id_of"]

_NOTHING_SELDOM: Final = (None, None, None, 0, 0, 0, 0, 0, 0, 0, None, None, "", None, None)
_DIGITS: Final = re.compile(r"[0-9a-f]+")


class _Place:
    """A context in the table, and the names of models that it leaves to each call."""

    __slots__ = ("context", "names", "party")

    def __init__(self, party: int, context: int, names: dict[str, str]) -> None:
        self.party = party
        self.context = context
        self.names = names


class Known:
    """What was committed over ``connection`` and is remembered. Origins are kept by their prefix."""

    __slots__ = ("connection", "lines", "made", "origins", "places")

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.lines: dict[Line, int] = {}
        self.places: dict[Context, _Place] = {}
        self.origins: dict[str, int] = {}
        self.made = 0

    def learn(self, filing: Filing) -> None:
        """Remember what ``filing`` met. To be called when its transaction is committed, and only then."""
        self.made += filing.made
        # Replaced and not emptied, since the next filing may be under way in its thread.
        if len(self.places) + len(filing.places) > REMEMBERED_MAX:
            self.places = {}
        if len(self.origins) + len(filing.origins) > REMEMBERED_MAX:
            self.origins = {}
        if len(self.lines) + len(filing.lines) > REMEMBERED_MAX:
            self.lines = {}
        if len(filing.lines) <= REMEMBERED_MAX:
            self.lines.update(filing.lines)
        if len(filing.places) <= REMEMBERED_MAX:
            self.places.update(filing.places)
        if len(filing.origins) <= REMEMBERED_MAX:
            self.origins.update(filing.origins)


class Filing:
    """Adds calls within one transaction, which has the write lock: what is looked for and missing, nobody else adds."""

    def __init__(self, known: Known) -> None:
        self.connection = known.connection
        self.lines: dict[Line, int] = {}
        self.places: dict[Context, _Place] = {}
        self.origins: dict[str, int] = {}
        self.made = 0
        self._known = known
        self._sets: defaultdict[_Place, list[CallRecord]] = defaultdict(list)
        self._contents: list[tuple[int, str | None, str | None]] = []

    def add(self, records: Sequence[CallRecord]) -> bool:
        """Add calls, many at a time; whether they were all new. If they were not, nothing may be committed.

        Raises:
            OverflowError: a number has more than 63 bits.
            apsw.ConstraintError, TypeError, ValueError: a value is of the wrong kind.
        """
        start = added = 0
        for count, statement in ADD_CALLS:
            while len(records) - start >= count:
                self.connection.execute(statement, self._values(records[start : start + count]))
                added += self.connection.changes()
                start += count
        if added != len(records):
            return False
        self._add_others()
        return True

    def add_one(self, record: CallRecord) -> bool:
        """Add one call; whether it is new. Errors are those of :meth:`add`."""
        self.connection.execute(ADD_CALL, self._values((record,)))
        new = self.connection.changes() > 0
        if new:
            self._add_others()
        self._contents.clear()
        self._sets.clear()
        return new

    def line_id(self, line: Line) -> int:
        """The id of what reports tell calls apart by; it is added where it is new."""
        found = self._known.lines.get(line) or self.lines.get(line)
        if found is None:
            digest = digest_of(line)
            row = self.connection.execute(FIND_LINE, (digest,)).get
            found = int(self.connection.execute(ADD_LINE, (digest, *line)).get if row is None else row)
            self.lines[line] = found
        return found

    def sets(self) -> Iterable[list[CallRecord]]:
        """The records that were given to :meth:`add`, those of one context together."""
        return self._sets.values()

    def _values(self, records: Sequence[CallRecord]) -> list[Any]:
        """The values of ``ADD_CALL``, one record after the other. Every call goes through here, so it is in one go."""
        values: list[Any] = []
        places, sets = self._known.places, self._sets
        for call, record in zip(self._ids(records), records, strict=True):
            context = context_of(record)
            place = places.get(context) or self._place(context)
            sets[place].append(record)
            seldom = seldom_of(record)
            plain = seldom == _NOTHING_SELDOM and not place.names
            values += (call, place.party, place.context, None if plain else self._more(call, place, seldom))
            values += usual_of(record)
        return values

    def _more(self, call: int, place: _Place, seldom: tuple[Any, ...]) -> str | None:
        """What a call has that most have not, as JSON."""
        texts, counts, (units, trace, service, prompt, reply) = seldom[:3], seldom[3:-5], seldom[-5:]
        if prompt is not None or reply is not None:
            self._contents.append((call, content_text(prompt), content_text(reply)))
        more: dict[str, str | int | Units | RouteTrace] = dict(place.names)
        more.update((name, text) for name, text in zip(SELDOM_TEXTS, texts, strict=True) if text is not None)
        more.update((name, saturated(count)) for name, count in zip(SELDOM_COUNTS, counts, strict=True) if count)
        if units is not None:
            more["units"] = units
        if trace is not None:
            more["trace"] = trace
        if service:
            more["service_tier"] = service
        return msgspec.json.encode(more).decode() if more else None

    def _add_others(self) -> None:
        """Add what belongs to the calls that were added."""
        self.connection.executemany(ADD_CONTENTS, self._contents)
        seconds = [
            (place.party, second)
            for place, records in self._sets.items()
            for second in {record.started_at // 1 for record in records}
        ]
        self.connection.execute(ADD_SECONDS, (msgspec.json.encode(seconds).decode(),))

    # -- what calls refer to -----------------------------------------------------------------------------

    def _place(self, context: Context) -> _Place:
        place = self.places.get(context)
        if place is None:
            place = self.places[context] = self._find_place(context)
        return place

    def _find_place(self, context: Context) -> _Place:
        """Find or make the context in the table, without the names if those are a client's, or too many."""
        names = dict(zip(NAMES, context[-len(NAMES) :], strict=True))
        if names["deployment_id"]:
            may_make = self._known.made + self.made < CONTEXTS_MADE_MAX
            found = self._find_context(context) or (self._make_context(context) if may_make else None)
            if found is not None:
                return _Place(*found, {})
        nameless = context[: -len(NAMES)] + NO_NAMES
        found = self._find_context(nameless) or self._make_context(nameless)
        return _Place(*found, {name: value for name, value in names.items() if value})

    def _find_context(self, context: Context) -> tuple[int, int] | None:
        """The party and the id of a context."""
        found: tuple[int, int] | None = self.connection.execute(FIND_CONTEXT, (digest_of(context),)).fetchone()
        return found

    def _make_context(self, context: Context) -> tuple[int, int]:
        usage_source, key_token, user_id, *others = context
        party = self._find_or_add(FIND_PARTY, ADD_PARTY, (key_token, user_id))
        columns = [msgspec.json.encode(value).decode() if isinstance(value, tuple) else value for value in others]
        made = self.connection.execute(ADD_CONTEXT, (digest_of(context), party, usage_source, *columns)).get
        self.made += 1
        return party, int(made)

    def _ids(self, records: Sequence[CallRecord]) -> list[int]:
        """The ``calls.id`` of each record."""
        call_ids = [record.call_id for record in records]
        prefixes = {call_id[:-8] for call_id in call_ids}
        digits = "".join([call_id[-8:] for call_id in call_ids])
        if len(prefixes) == 1 and len(digits) == 8 * len(call_ids) and _DIGITS.fullmatch(digits):
            start = self._origin(prefixes.pop(), numbered=True) << 32
            return [start + number for number in struct.unpack(f">{len(call_ids)}I", bytes.fromhex(digits))]
        parts = map(split_call_id, call_ids)
        return [(self._origin(prefix, numbered=numbered) << 32) + number for prefix, number, numbered in parts]

    def _origin(self, prefix: str, *, numbered: bool) -> int:
        origin = (self._known.origins.get(prefix) or self.origins.get(prefix)) if numbered else None
        if origin is None:
            origin = self._find_or_add(FIND_ORIGIN, ADD_ORIGIN, (prefix, numbered))
            if numbered:
                self.origins[prefix] = origin
        return origin

    def _find_or_add(self, find: str, add: str, values: tuple[Any, ...]) -> int:
        found = self.connection.execute(find, values).get
        return int(self.connection.execute(add, values).get if found is None else found)


def id_of(connection: apsw.Connection, call_id: str) -> int | None:
    """The ``calls.id`` that a call has if it is there; None: it is not."""
    prefix, number, numbered = split_call_id(call_id)
    origin = connection.execute(FIND_ORIGIN, (prefix, numbered)).get
    return None if origin is None else (int(origin) << 32) + number
