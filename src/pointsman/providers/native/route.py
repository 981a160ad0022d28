"""Finds out whether an OpenAI-compatible server has the route for responses, and goes without it where it has not.

The question is a request for nothing: without a model and an input no server can begin to answer it, so it costs
nothing, and what is wrong with it tells whether there is anybody to find that wrong.

Servers other than OpenAI's that have the route know functions and tools of their own, but neither custom tools nor
namespaces, without which Codex does not ask; such a request goes over the chat, where both are offered as functions.

All keys share the server's account, so what one of them may continue there is looked up here first: a relayed response
is kept like any other. Conversations and what is done in the background are the gateway's own, and never relayed.
"""

from __future__ import annotations

import logging
import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

from pointsman.core.clock import Clock, short_id
from pointsman.core.errors import GatewayError, Malformed, UpstreamFailed
from pointsman.core.flight import Sender
from pointsman.core.upstream import Answer, Ask, Deployment, Lane, Outbound
from pointsman.dialects.openai_responses.response import ResponseRequest, read_response_request
from pointsman.providers.native.lane import OPENAI_RESPONSES, NativeLane
from pointsman.providers.native.question import Told, put_question
from pointsman.providers.stateful import KeptAnswer, ResponseBook

__all__ = ["FALLBACK_SECONDS", "KNOWN_SECONDS", "ResponsesLane"]

KNOWN_SECONDS: Final = 3600.0
"""How long an answer to the question is believed: servers are updated."""

FALLBACK_SECONDS: Final = 30.0
"""The same where the answer tells nothing, as when the server is out of order."""

_ASKING_SECONDS: Final = 5.0
_ABSENT: Final = frozenset({404, 405, 501})
_PRESENT: Final = frozenset({400, 402, 415, 422})
_OFFICIAL_HOST: Final = "api.openai.com"
_log: Final = logging.getLogger("pointsman.responses")


_SAYS_NO: Final = frozenset({b"null", b"false"})
_MADE_HERE: Final = re.compile(r"resp_[0-9a-f]{24}")
"""The ids of responses that no server but this one has."""

_OF_OPENAI: Final = frozenset({"custom", "namespace"})


class _Kind(msgspec.Struct):
    type: str = ""


class _Reply(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw()


_decode_kinds: Final = msgspec.json.Decoder(list[_Kind] | None).decode
_decode_reply: Final = msgspec.json.Decoder(_Reply).decode
_decode_id: Final = msgspec.json.Decoder(str | None).decode


class ResponsesLane:
    """See :class:`pointsman.core.upstream.Lane`. ``emulated`` is the way over the server's chat.

    The knowledge is the deployment's, as the lane is. ``book`` has what is kept of responses, relayed ones included.
    """

    prepares = True

    def __init__(
        self, deployment: Deployment, emulated: Lane, sender: Sender, clock: Clock, book: ResponseBook | None = None
    ) -> None:
        self._native = NativeLane(deployment, OPENAI_RESPONSES)
        self._emulated = emulated
        self._deployment = deployment
        self._sender = sender
        self._clock = clock
        self._book = book
        self._is_official = self._has_route = urlsplit(deployment.api_base).hostname == _OFFICIAL_HOST
        self._known_until = float("inf") if self._has_route else 0.0

    async def prepare(self, ask: Ask) -> None:
        """See the protocol. Of several requests at once each asks, which is rare and harms nobody.

        Raises:
            NotFound: the response that is to be continued is not of who asks.
        """
        if not self._is_known:
            await self._learn()
        if self._relays(ask):
            await self._prepare_relay(ask)
        elif self._emulated.prepares:
            await self._emulated.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        return self._native.write(ask) if self._relays(ask) else self._emulated.write(ask)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol; sets ``ask.keep`` where the answer is to be kept."""
        if not self._relays(ask):
            return self._emulated.answer(ask)
        answer, book, request = self._native.answer(ask), self._book, ask.notes
        if book is None or not isinstance(request, ResponseRequest) or not (request.store and book.retention_days):
            return answer
        kept = KeptAnswer(answer)
        ask.keep = lambda: book.keep(ask, kept.response)
        return kept

    def _relays(self, ask: Ask) -> bool:
        if not self._has_route or _says(ask, "background") or _says(ask, "conversation"):
            return False
        previous = _previous(ask)
        if previous is not None and _MADE_HERE.fullmatch(previous):
            return False
        return self._is_official or previous is not None or not _has_tools_of_openai(ask)

    async def _prepare_relay(self, ask: Ask) -> None:
        book, previous = self._book, _previous(ask)
        if book is None:
            return
        if previous is not None:
            await book.demand_own(previous, ask.owner)
        try:
            ask.notes = read_response_request(ask.body(), clock=self._clock)
        except GatewayError:
            # The server may know fields that are not known here, and finds its own words for what is wrong.
            ask.notes = ResponseRequest(
                id=short_id("resp_"),
                created_at=int(self._clock.wall()),
                previous_response_id=previous,
                store=bytes(ask.fields.get("store", b"true")) != b"false",
            )

    @property
    def _is_known(self) -> bool:
        return self._clock.monotonic() < self._known_until

    async def _learn(self) -> None:
        found = await self._asked()
        if found is not None:
            _log.info("%s: responses are %s.", self._deployment.group, "relayed" if found else "made from its chat")
        self._has_route = bool(found)
        seconds = FALLBACK_SECONDS if found is None else KNOWN_SECONDS
        self._known_until = self._clock.monotonic() + seconds

    async def _asked(self) -> bool | None:
        """Whether there is such a route; None where that cannot be told."""
        question = Outbound(OPENAI_RESPONSES.path, b"{}")
        try:
            return _means_route(await put_question(self._sender, self._deployment, question, _ASKING_SECONDS))
        except UpstreamFailed:
            return None


def _says(ask: Ask, name: str) -> bool:
    return bytes(ask.fields.get(name, b"null")) not in _SAYS_NO


def _previous(ask: Ask) -> str | None:
    """The response that is to be continued.

    Raises:
        Malformed: it is no text.
    """
    try:
        return _decode_id(ask.fields.get("previous_response_id", b"null")) or None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Malformed("previous_response_id must be a string.", param="previous_response_id") from None


def _has_tools_of_openai(ask: Ask) -> bool:
    """Whether a request offers tools that only OpenAI has; one that cannot be read is the server's to refuse."""
    try:
        kinds = _decode_kinds(ask.fields.get("tools", b"null"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    offered = any(kind.type in _OF_OPENAI for kind in kinds or ())
    return offered or b'"additional_tools"' in bytes(ask.fields.get("input", b""))


def _means_route(reply: Told) -> bool | None:
    if reply.status in _ABSENT:
        return False
    if reply.status in _PRESENT:
        return True
    if reply.status == 200:
        # LM Studio answers to any path with 200, and says in the body that there is nothing.
        return False if _tells_error(reply.body) else None
    return None


def _tells_error(body: bytes) -> bool:
    try:
        return bool(_decode_reply(body).error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
