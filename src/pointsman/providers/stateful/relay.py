"""The relay of responses, with a memory: what it names is looked up here first, and what comes of it is kept here, too.

A response belongs to the key that asked for it, although the upstream knows only the operator's account. So a request
that is relayed may name only what its own key made, and conversations are always kept here.

What the upstream keeps itself is continued there, by its own name, as only it has all of it (reasoning that is
encrypted, what its own tools found). What was made elsewhere is sent along.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

import msgspec

from pointsman.core.clock import short_id
from pointsman.core.eager import become_task
from pointsman.core.identity import Owner, token_of
from pointsman.core.upstream import Answer, Ask, Deployment, Outbound
from pointsman.dialects.openai_responses.relaying import (
    GivenFields,
    portable_items,
    read_given,
    retold_block,
    retold_object,
)
from pointsman.dialects.openai_responses.response import ResponseRequest
from pointsman.providers.native.lane import NativeLane
from pointsman.providers.native.relayed import RelayedAnswer
from pointsman.providers.stateful.book import ResponseBook, demand_continuable, no_previous, turn_items
from pointsman.providers.stateful.lane import KeptAnswer
from pointsman.providers.stateful.notes import RelayNotes, read_request
from pointsman.providers.stateful.references import EVERYBODY, Resolver, has_references
from pointsman.stores.response_ports import Turn

__all__ = ["RememberedRelay", "account_of"]

_NOBODY: Final = Owner("")
_OFFICIAL_HOST: Final = "api.openai.com"
_TRUE: Final = msgspec.Raw(b"true")

_encode: Final = msgspec.json.Encoder().encode


def account_of(deployment: Deployment) -> str:
    """A name for where a deployment's responses are kept, from which nothing can be read.

    Of OpenAI itself it is known that one model may continue another's response; elsewhere the model is a part of it.
    """
    key = "" if deployment.api_key is None else deployment.api_key.reveal()
    headers = sorted((name.lower(), secret.reveal()) for name, secret in deployment.headers.items())
    is_official = urlsplit(deployment.api_base).hostname == _OFFICIAL_HOST
    return token_of(repr((deployment.api_base, key, headers, "" if is_official else deployment.model)))[:32]


class RememberedRelay:
    """See :class:`pointsman.core.upstream.Lane`; around the lane that relays responses to one deployment."""

    prepares = True

    def __init__(self, deployment: Deployment, native: NativeLane, book: ResponseBook) -> None:
        self._native = native
        self._book = book
        self._upstream = account_of(deployment)

    async def question(self, ask: Ask) -> Outbound:
        """See :class:`pointsman.providers.native.route.Relay`."""
        return await self._native.question(ask)

    def has(self, ask: Ask) -> bool:
        """See :class:`pointsman.providers.native.route.Relay`."""
        return isinstance(ask.notes, RelayNotes)

    async def prepare(self, ask: Ask) -> None:
        """Look up what the request names.

        Raises:
            Malformed, Unsupported: a field cannot be read, or what is named cannot be continued.
            NotFound: it is not there, or is not the caller's.
            StorageUnavailable: nobody can say.
        """
        strict, given = read_request(ask), read_given(ask.fields)
        if given.background and strict is None:
            strict = self._book.read_foreground(ask)
        request = strict or ResponseRequest(
            id=short_id("resp_"),
            created_at=int(self._book.clock.wall()),
            input=given.input,
            previous_response_id=given.previous_response_id,
            conversation=given.conversation,
            store=given.store,
        )
        notes = RelayNotes(ask.fields.copy(), request, self._upstream, strict)
        if request.background:
            del notes.fields["background"]
            notes.said |= {"id": _raw(request.id), "background": _TRUE}
        items = await self._with_references(given, notes, ask.owner or _NOBODY)
        history: Iterable[msgspec.Raw] = ()
        if given.conversation is not None:
            history = await self._conversation(given.conversation, notes, ask.owner or _NOBODY)
        elif given.previous_response_id is not None:
            history = await self._previous(given.previous_response_id, notes, ask.owner or _NOBODY)
        if history:
            sent = _encode((*history, *items))
            notes.grown = max(0, self._book.estimate(sent) - self._book.estimate(bytes(ask.fields.get("input", b""))))
            ask.prompt_estimate += notes.grown
            notes.fields["input"] = msgspec.Raw(sent)
        notes.request = self._book.if_room(ask, notes.request)
        ask.notes = notes
        if self._native.prepares:
            await self._native.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        return self._native.write(msgspec.structs.replace(ask, fields=_notes(ask).fields))

    def answer(self, ask: Ask) -> Answer:
        """See the protocol; sets ``ask.keep`` where the answer is to be stored."""
        notes, book = _notes(ask), self._book
        answer = self._native.answer(ask)
        request = notes.request
        ask.keep = None
        if not request.background and (request.store or request.conversation is not None):
            ask.keep = lambda: _keep(book, ask, notes, answer)
        return _RetoldAnswer(answer, notes) if notes.said else answer

    async def _with_references(self, given: GivenFields, notes: RelayNotes, owner: Owner) -> tuple[msgspec.Raw, ...]:
        """The input as it is sent, with those items in place that it only names and the upstream does not have."""
        if isinstance(given.input, str):
            return (_raw({"role": "user", "content": given.input}),) if given.input else ()
        if not has_references(given.input, relayed=True):
            return given.input
        await become_task()
        book = self._book
        resolver = Resolver(
            book.responses,
            owner,
            book.clock.wall(),
            upstream=self._upstream,
            allows_unknown=book.allows_unknown,
        )
        items = await resolver.resolve(given.input)
        sent = tuple(item.sent for item in items if item.sent is not None)
        notes.fields["input"] = _raw(sent)
        notes.request = msgspec.structs.replace(notes.request, input=tuple(item.kept for item in items))
        return sent

    async def _conversation(self, name: str, notes: RelayNotes, owner: Owner) -> tuple[msgspec.Raw, ...]:
        await become_task()
        book = self._book
        if book.allows_unknown and await book.conversations.get(name, EVERYBODY, 0.0) is None:
            notes.request = msgspec.structs.replace(notes.request, conversation=None)
            return ()
        history = portable_items(await book.conversation(name, owner))
        del notes.fields["conversation"]
        notes.said["conversation"] = _raw({"id": name})
        return history

    async def _previous(self, name: str, notes: RelayNotes, owner: Owner) -> tuple[msgspec.Raw, ...]:
        """What has to be sent along of the responses before; nothing where the upstream has them."""
        await become_task()
        book = self._book
        record = await book.responses.get(name, owner, book.clock.wall())
        if record is None:
            if book.allows_unknown and await book.responses.get(name, EVERYBODY, 0.0) is None:
                return ()
            raise no_previous(name, keeps=book.retention_days > 0)
        demand_continuable(record)
        if record.upstream == self._upstream and record.upstream_id is not None:
            if record.upstream_id != name:
                notes.fields["previous_response_id"] = _raw(record.upstream_id)
                notes.said["previous_response_id"] = _raw(name)
            return ()
        turns = await book.chain(name, owner)
        del notes.fields["previous_response_id"]
        notes.said["previous_response_id"] = _raw(name)
        return tuple(item for turn in turns for item in self._items(turn))

    def _items(self, turn: Turn) -> Iterable[msgspec.Raw]:
        """The items of a turn as this upstream takes them; what it made, and did not keep, it can read itself."""
        is_its_own = turn.upstream == self._upstream and turn.upstream_id is None
        return turn_items(turn) if is_its_own else portable_items(turn_items(turn))


class _RetoldAnswer(KeptAnswer):
    """A relayed answer whose responses say something else to the client than to the gateway."""

    __slots__ = ("_notes", "_relayed")

    def __init__(self, relayed: RelayedAnswer, notes: RelayNotes) -> None:
        super().__init__(relayed)
        self._relayed = relayed
        self._notes = notes

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        out = bytes(retold_object(self._relayed.whole(body), self._notes.said))
        self._notes.final = self._relayed.final()
        return out

    def _told(self, block: bytes) -> bytes:
        self._notes.final = self._relayed.final()
        return retold_block(block, self._notes.said)


async def _keep(book: ResponseBook, ask: Ask, notes: RelayNotes, answer: RelayedAnswer) -> None:
    notes.final = answer.final()
    await book.keep(ask, msgspec.Raw(notes.final) if notes.final else None, notes)


def _notes(ask: Ask) -> RelayNotes:
    if not isinstance(ask.notes, RelayNotes):
        message = "a response is relayed that was never looked up"
        raise TypeError(message)
    return ask.notes


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encode(value))
