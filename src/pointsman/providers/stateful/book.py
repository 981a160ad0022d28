"""What the Responses API keeps from one request for the next: looked up before, written down after."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.eager import become_task
from pointsman.core.errors import Malformed, NotFound, StorageUnavailable, Unsupported
from pointsman.core.identity import Owner
from pointsman.core.upstream import Ask
from pointsman.dialects.openai_responses.items import is_readable
from pointsman.dialects.openai_responses.keeping import read_kept
from pointsman.dialects.openai_responses.listing import complete_items, input_items, item_id
from pointsman.dialects.openai_responses.relaying import portable_items, retold_object
from pointsman.dialects.openai_responses.response import ResponseRequest, read_response_request
from pointsman.providers.stateful.notes import RelayNotes, UpstreamCopy, read_request
from pointsman.providers.stateful.references import Resolver, has_references
from pointsman.stores.response_ports import (
    OBJECT_BYTES_MAX,
    TURNS_MAX,
    UNFINISHED,
    ConversationFull,
    ConversationStore,
    KeptItem,
    ResponseRecord,
    ResponseStore,
    Turn,
    TurnsTooLong,
)

__all__ = ["ResponseBook", "demand_continuable", "no_previous", "turn_items"]

_DAY_SECONDS: Final = 86_400.0
_KEEP_SECONDS: Final = 2.0
"""How long an answer waits for the store; by then it is stuck, and the answer is worth more than its copy."""
_NOBODY: Final = Owner("")
_ANSWERED: Final = frozenset({"completed", "incomplete"})
_SHOWN_CHARACTERS_MAX: Final = 80
_ID_CHARACTERS_MAX: Final = 256

_encode: Final = msgspec.json.Encoder().encode
_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_log: Final = logging.getLogger("pointsman.responses")


class ResponseBook:
    """The stores, and the rules by which requests use them.

    ``estimate`` gives the tokens of JSON; ``retention_days`` how long something is kept, 0: nothing is.
    With ``allows_unknown`` a request that is relayed may name what nobody's key made here.
    """

    def __init__(
        self,
        responses: ResponseStore,
        conversations: ConversationStore,
        *,
        estimate: Callable[[bytes], int],
        clock: Clock,
        retention_days: int,
        worker: int = 0,
        keep_seconds: float = _KEEP_SECONDS,
        allows_unknown: bool = False,
    ) -> None:
        self.responses = responses
        self.conversations = conversations
        self.clock = clock
        self.worker = worker
        self.retention_days = retention_days
        self.estimate = estimate
        self._keep_seconds = keep_seconds
        self.allows_unknown = allows_unknown

    def expiry(self) -> float:
        """When that expires which is stored now, in seconds since the epoch."""
        return self.clock.wall() + self.retention_days * _DAY_SECONDS

    async def prepare(self, ask: Ask) -> None:
        """Read what the request says beside the call, into ``ask.notes``, with the items that it continues.

        ``ask.prompt_estimate`` grows by them.

        Raises:
            Malformed, Unsupported: the request cannot be read, or what it continues cannot be continued.
            NotFound: what it continues is not there.
            StorageUnavailable: nobody can say.
        """
        request = read_request(ask) or self.read_foreground(ask)
        if has_references(request.input):
            request = await self._with_references(ask, request)
        if not request.history and (request.previous_response_id or request.conversation):
            history = await self.history(request, ask.owner or _NOBODY)
            ask.prompt_estimate += self.estimate(_encode(history))
            request = msgspec.structs.replace(request, history=history)
        ask.notes = self.if_room(ask, request)

    def read_foreground(self, ask: Ask) -> ResponseRequest:
        """A request of which nothing is known yet, so that nobody works on it in the background.

        Raises:
            Malformed: it cannot be read.
            Unsupported: it wants to be worked on there.
        """
        request = read_response_request(ask.body())
        if request.background:
            raise Unsupported(
                "background: this gateway stores no responses.",
                hint="Ask the operator to set response_retention_days, or leave background out.",
                param="background",
            )
        return request

    def if_room(self, ask: Ask, request: ResponseRequest) -> ResponseRequest:
        """The request, which is not to be stored where there is no room for it.

        Raises:
            Malformed: it has to be.
        """
        if not request.store or self._has_room(ask):
            return request
        if request.background:
            message = f"input is longer than {OBJECT_BYTES_MAX} bytes, too long to be stored."
            raise Malformed(message, hint="Leave background out.", param="input")
        return msgspec.structs.replace(request, store=False)

    async def keep(self, ask: Ask, body: msgspec.Raw | None, relayed: RelayNotes | None = None) -> None:
        """Store the answer to a request; if that fails, the answer is worth more than its copy."""
        request = ask.notes if relayed is None else relayed.request
        if body is None or not isinstance(request, ResponseRequest):
            return
        await become_task()
        try:
            copy = None
            if relayed is not None:
                body, copy = retold_object(body, relayed.said), relayed.copy()
            record = self.record(ask, request, body, copy=copy)
            if len(record.id) <= _ID_CHARACTERS_MAX and len(body) + len(record.input_items) <= OBJECT_BYTES_MAX:
                added, named = self.added(request, body), self.named(record)
                async with asyncio.timeout(self._keep_seconds):
                    await self.responses.put(record, added, kept=request.store, named=named)
        except (StorageUnavailable, TimeoutError, msgspec.MsgspecError) as error:
            _log.warning("The response %s was answered but could not be stored: %r", request.id, error)

    def record(
        self,
        ask: Ask,
        request: ResponseRequest,
        body: msgspec.Raw,
        worker: int | None = None,
        copy: UpstreamCopy | None = None,
    ) -> ResponseRecord:
        """A response as it is stored.

        Raises:
            msgspec.MsgspecError: ``body`` is no response object.
        """
        kept = read_kept(body)
        return ResponseRecord(
            id=kept.id or request.id,
            owner=(ask.owner or _NOBODY).token,
            model=ask.model,
            status=kept.status,
            created_at=float(request.created_at),
            expires_at=self.expiry(),
            body=body,
            input_items=msgspec.Raw(_encode(input_items(request))),
            previous_response_id=request.previous_response_id,
            conversation_id=request.conversation,
            worker=worker,
            upstream=None if copy is None else copy.upstream,
            upstream_id=None if copy is None else copy.id,
        )

    def added(self, request: ResponseRequest, body: msgspec.Raw) -> tuple[KeptItem, ...]:
        """What a response adds to its conversation: its input and its output, if there was an answer."""
        kept = read_kept(body)
        if request.conversation is None or kept.status not in _ANSWERED:
            return ()
        output = complete_items(kept.output, f"{request.id.removeprefix('resp_')}o")
        return tuple(KeptItem(item_id(raw), raw) for raw in (*input_items(request), *output))

    def named(self, record: ResponseRecord) -> tuple[str, ...]:
        """The ids of a response's items where they do not tell what response they belong to."""
        if record.upstream is None:
            return ()
        items = (*_decode_items(record.input_items), *read_kept(record.body).output)
        return tuple(item_id(raw) for raw in items)

    async def _with_references(self, ask: Ask, request: ResponseRequest) -> ResponseRequest:
        """The request with the items themselves where it only names them; ``ask`` has them then, too."""
        await become_task()
        owner = ask.owner or _NOBODY
        before = bytes(ask.fields["input"])
        resolver = Resolver(self.responses, owner, self.clock.wall())
        items = await resolver.resolve(_decode_items(before))
        after = _encode([item.sent for item in items if item.sent is not None])
        ask.fields["input"] = msgspec.Raw(after)
        ask.prompt_estimate += max(0, self.estimate(after) - self.estimate(before))
        return msgspec.structs.replace(request, input=tuple(item.kept for item in items))

    def _has_room(self, ask: Ask) -> bool:
        return self.retention_days > 0 and len(ask.fields.get("input", b"")) <= OBJECT_BYTES_MAX

    async def history(self, request: ResponseRequest, owner: Owner) -> tuple[msgspec.Raw, ...]:
        """The items that a request continues, the oldest first.

        Raises:
            Malformed: they cannot be continued.
            NotFound: they are not there.
            StorageUnavailable: nobody can say.
        """
        await become_task()
        if request.conversation is not None:
            return tuple(raw for raw in await self.conversation(request.conversation, owner) if is_readable(raw))
        turns = await self.chain(request.previous_response_id or "", owner)
        return tuple(item for turn in turns for item in _readable_items(turn))

    async def conversation(self, conversation_id: str, owner: Owner) -> tuple[msgspec.Raw, ...]:
        """All items of a conversation.

        Raises:
            Malformed, NotFound, StorageUnavailable: as in :meth:`history`.
        """
        try:
            items = await self.conversations.history(conversation_id, owner, self.clock.wall())
        except ConversationFull:
            raise Malformed(
                "This conversation is too long to be continued.",
                hint="Delete some of its items, or begin a new one.",
                param="conversation",
                code="conversation_too_long",
            ) from None
        if items is None:
            raise NotFound(
                f"Conversation with id '{conversation_id[:_SHOWN_CHARACTERS_MAX]}' not found.",
                param="conversation",
                code="conversation_not_found",
                kind="invalid_request_error",
            )
        return items

    async def chain(self, response_id: str, owner: Owner) -> tuple[Turn, ...]:
        """A response and those before it, the oldest first.

        Raises:
            Malformed, NotFound, StorageUnavailable: as in :meth:`history`.
        """
        try:
            turns = await self.responses.turns(response_id, owner, self.clock.wall())
        except TurnsTooLong:
            raise Malformed(
                f"The responses before this one are more than {TURNS_MAX} or too long to be continued.",
                hint="Begin a new chain with a summary as input.",
                param="previous_response_id",
                code="chain_too_long",
            ) from None
        missing = response_id if not turns else turns[-1].previous_response_id
        if missing is not None:
            raise no_previous(missing, keeps=self.retention_days > 0)
        demand_continuable(turns[0])
        return turns[::-1]


def no_previous(response_id: str, *, keeps: bool = True) -> NotFound:
    """What is said of a response that is not there, or is somebody else's; not ``keeps``: no response is kept."""
    found = f"Previous response with id '{response_id[:_SHOWN_CHARACTERS_MAX]}' not found"
    hint = "Send the whole conversation as input, or ask the operator to set response_retention_days above 0."
    return NotFound(
        f"{found}." if keeps else f"{found}: this gateway keeps no responses.",
        hint=None if keeps else hint,
        param="previous_response_id",
        code="previous_response_not_found",
        kind="invalid_request_error",
    )


def demand_continuable(turn: Turn | ResponseRecord) -> None:
    """Raise unless a response can be continued.

    Raises:
        Malformed: it is not complete, or belongs to a conversation.
    """
    if turn.status in UNFINISHED:
        raise Malformed(
            f"Previous response with id '{turn.id}' is not complete yet.",
            hint="Wait until its status is completed.",
            param="previous_response_id",
            code="previous_response_not_complete",
        )
    if turn.conversation_id is not None:
        raise Malformed(
            f"Previous response with id '{turn.id}' belongs to a conversation.",
            hint=f"Continue it with conversation: {turn.conversation_id}",
            param="previous_response_id",
            code="previous_response_in_conversation",
        )


def _readable_items(turn: Turn) -> Iterable[msgspec.Raw]:
    """The items of a turn that can be translated."""
    return turn_items(turn) if turn.upstream is None else portable_items(turn_items(turn))


def turn_items(turn: Turn) -> list[msgspec.Raw]:
    """The input and the output of a turn."""
    return [*_decode_items(turn.input_items), *read_kept(turn.body).output]
