"""Finds out whether an OpenAI-compatible server has the route for responses, and goes without it where it has not.

The question is a request for nothing: without a model and an input no server can begin to answer it, so it costs
nothing, and what is wrong with it tells whether there is anybody to find that wrong.

Servers other than OpenAI's that have the route know functions and tools of their own, but neither custom tools nor
namespaces, without which Codex does not ask; such a request goes over the chat, where both are offered as functions.
"""

from __future__ import annotations

import logging
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.errors import UpstreamFailed
from pointsman.core.flight import Sender
from pointsman.core.upstream import Answer, Ask, Deployment, Lane, Outbound
from pointsman.providers.native.question import Told, put_question

__all__ = ["FALLBACK_SECONDS", "KNOWN_SECONDS", "Relay", "ResponsesLane"]

KNOWN_SECONDS: Final = 3600.0
"""How long an answer to the question is believed: servers are updated."""

FALLBACK_SECONDS: Final = 30.0
"""The same where the answer tells nothing, as when the server is out of order."""

_ASKING_SECONDS: Final = 5.0
_ABSENT: Final = frozenset({404, 405, 501})
_PRESENT: Final = frozenset({400, 402, 415, 422})
_OFFICIAL_HOST: Final = "api.openai.com"
_log: Final = logging.getLogger("pointsman.responses")


_OF_OPENAI: Final = frozenset({"custom", "namespace"})


class _Kind(msgspec.Struct):
    type: str = ""


class _Reply(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw()


_decode_kinds: Final = msgspec.json.Decoder(list[_Kind] | None).decode
_decode_reply: Final = msgspec.json.Decoder(_Reply).decode


class Relay(Lane, Protocol):
    """A lane that knows the requests that it prepared."""

    def has(self, ask: Ask) -> bool:
        """Whether it was the last that prepared a request."""
        ...

    async def question(self, ask: Ask) -> Outbound:
        """A request for nothing.

        Raises:
            UpstreamFailed: nothing lets it in.
        """
        ...


class ResponsesLane:
    """See :class:`pointsman.core.upstream.Lane`. ``emulated`` is the way over the server's chat, ``relay`` the other.

    The knowledge is the deployment's, as the lane is.
    """

    prepares = True

    def __init__(self, deployment: Deployment, emulated: Lane, relay: Relay, sender: Sender, clock: Clock) -> None:
        self._relay = relay
        self._emulated = emulated
        self._deployment = deployment
        self._sender = sender
        self._clock = clock
        self._is_official = self._has_route = urlsplit(deployment.api_base).hostname == _OFFICIAL_HOST
        self._known_until = float("inf") if self._has_route else 0.0

    async def prepare(self, ask: Ask) -> None:
        """See the protocol. Of several requests at once each asks, which is rare and harms nobody."""
        if ask.continues is not None:
            await self._emulated.prepare(ask)
            return
        if not self._is_known:
            await self._learn(ask)
        lane = self._relay if self._has_route and not self._is_beyond_others(ask) else self._emulated
        if lane.prepares:
            await lane.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        return self._chosen(ask).write(ask)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        return self._chosen(ask).answer(ask)

    def _chosen(self, ask: Ask) -> Lane:
        """The lane that prepared the request: what is known of the server may have changed since."""
        return self._relay if self._relay.has(ask) else self._emulated

    def _is_beyond_others(self, ask: Ask) -> bool:
        return not self._is_official and _has_tools_of_openai(ask)

    @property
    def _is_known(self) -> bool:
        return self._clock.monotonic() < self._known_until

    async def _learn(self, ask: Ask) -> None:
        found = await self._asked(ask)
        if found is not None:
            _log.info("%s: responses are %s.", self._deployment.group, "relayed" if found else "made from its chat")
        self._has_route = bool(found)
        seconds = FALLBACK_SECONDS if found is None else KNOWN_SECONDS
        self._known_until = self._clock.monotonic() + seconds

    async def _asked(self, ask: Ask) -> bool | None:
        """Whether there is such a route; None where that cannot be told."""
        try:
            question = await self._relay.question(ask)
            return _means_route(await put_question(self._sender, self._deployment, question, _ASKING_SECONDS))
        except UpstreamFailed:
            return None


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
