"""How call records become rows of PostgreSQL: what they have in common is looked up first, many at a time.

What was looked up is remembered for as long as the connection lasts, up to a bound: over another one it might be
another server's, who lost the last moments of the former.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from pointsman.core.outcome import CallRecord
from pointsman.stores.activity import Line
from pointsman.stores.call_rows import (
    CONTEXTS_MADE_MAX,
    NAMES,
    NO_NAMES,
    REMEMBERED_MAX,
    Context,
    content_text,
    context_of,
    digest_of,
    seldom_of,
    split_call_id,
    usual_of,
)
from pointsman.stores.postgres.activity_statements import ADD_LINES, FIND_LINES
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.statements import (
    ADD_CONTEXTS,
    ADD_ORIGINS,
    ADD_PARTIES,
    FIND_CONTEXTS,
    FIND_ORIGINS,
    FIND_PARTIES,
)
from pointsman.stores.postgres.text import indexed, kept
from pointsman.stores.records import saturated

__all__ = ["Filing", "Known", "Origin", "columns_of", "contents_of", "find_call"]


class _Place(NamedTuple):
    """A context in the table; ``names`` of models (None: not there) are those that it leaves to each call."""

    party: int
    context: int
    names: tuple[str | None, ...]


class Origin(NamedTuple):
    """The first part of call ids."""

    prefix: str
    numbered: bool

    @property
    def digest(self) -> bytes:
        """By what it is found."""
        return blake2b(msgspec.json.encode(self), digest_size=16).digest()


class Known:
    """What is remembered of what was met over ``session``; ``made`` counts the contexts that this process made."""

    def __init__(self, session: Session, made: int = 0) -> None:
        self.session = session
        self.made = made
        self.places: dict[Context, _Place] = {}
        self.origins: dict[Origin, int] = {}
        self.lines: dict[Line, int] = {}

    def learn(self, filing: Filing) -> None:
        """Remember what ``filing`` met. To be called when its transaction is committed, and only then."""
        if len(self.places) + len(filing.places) > REMEMBERED_MAX:
            self.places.clear()
        # One that is not numbered is of no other call, and goes when that call goes.
        origins = {origin: number for origin, number in filing.origins.items() if origin.numbered}
        if len(self.origins) + len(origins) > REMEMBERED_MAX:
            self.origins.clear()
        if len(self.lines) + len(filing.lines) > REMEMBERED_MAX:
            self.lines.clear()
        if len(filing.places) <= REMEMBERED_MAX:
            self.places.update(filing.places)
        if len(origins) <= REMEMBERED_MAX:
            self.origins.update(origins)
        if len(filing.lines) <= REMEMBERED_MAX:
            self.lines.update(filing.lines)
        self.made += filing.made


class Filing:
    """What the calls of one batch refer to. ``lacking`` and ``foreign`` are contexts and origins to be looked up."""

    def __init__(self, known: Known, records: Sequence[CallRecord]) -> None:
        self.made = 0
        self.lines: dict[Line, int] = {}
        self.contexts: list[Context] = [context_of(record) for record in records]
        parts = [split_call_id(record.call_id) for record in records]
        self.ids: list[tuple[Origin, int]] = [(Origin(prefix, numbered), number) for prefix, number, numbered in parts]
        contexts, origins = set(self.contexts), {origin for origin, _ in self.ids}
        self.places = {context: known.places[context] for context in contexts if context in known.places}
        self.origins = {origin: known.origins[origin] for origin in origins if origin in known.origins}
        self.lacking = list(contexts - self.places.keys())
        self.foreign = list(origins - self.origins.keys())
        self._may_make = CONTEXTS_MADE_MAX - known.made
        self._known_lines = known.lines

    async def resolve(self, session: Session) -> None:
        """Find or make what is lacking, within the transaction that adds the calls."""
        if self.lacking:
            await self._resolve_contexts(session)
        if self.foreign:
            origins = {origin.digest: origin for origin in self.foreign}
            for digest, number in (await _found_or_added(session, origins)).items():
                self.origins[origins[digest]] = number

    async def resolve_lines(self, session: Session, lines: Collection[Line]) -> None:
        """Find or make what reports tell calls apart by. To be called while no other replica adds up."""
        self.lines = {line: self._known_lines[line] for line in lines if line in self._known_lines}
        lacking = {digest_of(line): line for line in lines if line not in self.lines}
        if not lacking:
            return
        found = await _ids(session, FIND_LINES, lacking)
        missing = [(digest, *map(indexed, line)) for digest, line in lacking.items() if digest not in found]
        if missing:
            await session.execute(ADD_LINES, *[list(column) for column in zip(*missing, strict=True)])
            found = await _ids(session, FIND_LINES, lacking)
        self.lines.update((lacking[digest], number) for digest, number in found.items())

    async def _resolve_contexts(self, session: Session) -> None:
        digests = {context: digest_of(context) for context in self.lacking}
        nameless = {context: context[: -len(NAMES)] + NO_NAMES for context in self.lacking}
        digests |= {context: digest_of(context) for context in set(nameless.values())}
        found = await _contexts(session, digests.values())
        wanted: dict[Context, Context] = {}
        for context in self.lacking:
            served = bool(context[-2])  # those that reached no deployment have names that clients made up
            if served and digests[context] not in found and self.made < self._may_make:
                self.made += 1
                wanted[context] = context
            else:
                wanted[context] = context if served and digests[context] in found else nameless[context]
        missing = {context for context in wanted.values() if digests[context] not in found}
        if missing:
            await _add_contexts(session, [(digests[context], context) for context in missing])
            found |= await _contexts(session, [digests[context] for context in missing])
        for context, place in wanted.items():
            names = (None,) * len(NAMES) if place is context else tuple(name or None for name in context[-len(NAMES) :])
            self.places[context] = _Place(*found[digests[place]], names)


def columns_of(filing: Filing, records: Sequence[CallRecord], start: int, end: int) -> list[list[object]]:
    """The columns of ``ADD_CALLS`` for the records from ``start`` to before ``end``. All calls go through here."""
    rows: list[tuple[object, ...]] = []
    for index in range(start, end):
        record = records[index]
        origin, number = filing.ids[index]
        place = filing.places[filing.contexts[index]]
        began, ended, first, overhead, cost, peer, prompt, completion, answer_id = usual_of(record)
        end_user, code, message, *counts = seldom_of(record)[:10]
        units, trace = record.usage.units, record.trace
        rows.append((
            (filing.origins[origin] << 32) + number, place.party, place.context, began, ended, first, overhead, cost,
            kept(peer), prompt, completion, _text(end_user), _text(code), _text(message),
            *[saturated(count) or None for count in counts],
            None if units is None else msgspec.json.encode(units).decode(),
            None if trace is None else kept(msgspec.json.encode(trace).decode()),
            *[_text(name) for name in place.names],
            _text(answer_id),
            _text(record.usage.service or None),
        ))  # fmt: skip
    return [list(column) for column in zip(*rows, strict=True)]


def contents_of(records: Iterable[tuple[int, CallRecord]]) -> list[tuple[int, str | None, str | None]]:
    """What was asked and answered in calls, each with its ``calls.id``, where that is kept."""
    return [
        (call, _text(content_text(record.prompt)), _text(content_text(record.reply)))
        for call, record in records
        if record.prompt is not None or record.reply is not None
    ]


async def find_call(session: Session, call_id: str) -> int | None:
    """The ``calls.id`` that a call has if it is there; None: it is not."""
    prefix, number, numbered = split_call_id(call_id)
    for _, origin in await session.rows(FIND_ORIGINS, [Origin(prefix, numbered).digest]):
        return (int(origin) << 32) + number
    return None


async def _found_or_added(session: Session, origins: dict[bytes, Origin]) -> dict[bytes, int]:
    found = await _ids(session, FIND_ORIGINS, origins)
    if len(found) < len(origins):
        prefixes = [kept(origin.prefix) for origin in origins.values()]
        await session.execute(ADD_ORIGINS, list(origins), prefixes, [origin.numbered for origin in origins.values()])
        found = await _ids(session, FIND_ORIGINS, origins)
    return found


async def _ids(session: Session, statement: str, digests: Iterable[bytes]) -> dict[bytes, int]:
    """The ids of those that are there."""
    return {bytes(digest): int(number) for digest, number in await session.rows(statement, list(digests))}


async def _contexts(session: Session, digests: Iterable[bytes]) -> dict[bytes, tuple[int, int]]:
    """Party and id of those contexts that are there."""
    found = await session.rows(FIND_CONTEXTS, list(digests))
    return {bytes(digest): (int(party), int(context)) for digest, party, context in found}


async def _add_contexts(session: Session, made: Sequence[tuple[bytes, Context]]) -> None:
    callers = {(context[1], context[2]) for _, context in made}
    written = {caller: (indexed(caller[0]), None if caller[1] is None else indexed(caller[1])) for caller in callers}
    keys, users = [key for key, _ in written.values()], [user for _, user in written.values()]
    await session.execute(ADD_PARTIES, keys, users)
    parties = {(key, user): int(party) for party, key, user in await session.rows(FIND_PARTIES, keys, users)}
    rows: list[tuple[Any, ...]] = []
    for digest, context in made:
        source, key, user, *others = context
        columns = [kept(msgspec.json.encode(value).decode()) if isinstance(value, tuple) else value for value in others]
        texts = [kept(value) if isinstance(value, str) else value for value in columns]
        rows.append((digest, parties[written[key, user]], source, *texts))
    await session.execute(ADD_CONTEXTS, *[list(column) for column in zip(*rows, strict=True)])


def _text(text: str | None) -> str | None:
    return None if text is None else kept(text)
