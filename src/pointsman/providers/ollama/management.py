"""Pulling, making, copying and deleting models on the hosts that serve them, for an operator who allows that.

Source: Ollama's ``docs/api.md``. What a host answers is passed on as it comes: a pull tells of its progress line by
line, and takes as long as it takes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Final

import msgspec

from pointsman.core.errors import Malformed, NotFound, UpstreamFailed
from pointsman.core.flight import Flight, Sender
from pointsman.core.upstream import Deployment, Outbound, Timeouts
from pointsman.dialects.ollama.errors import read_error

__all__ = ["HostAnswer", "OllamaManagement", "management_hosts"]

_FIRST_ERROR_STATUS: Final = 400
_TIMEOUTS: Final = Timeouts(load=600.0, idle=600.0)
"""While a layer of many gigabytes is verified, a host says nothing for minutes."""


class HostAnswer(msgspec.Struct, frozen=True):
    """What a host answers: its content type, and the pieces of the body as they come."""

    content_type: str
    pieces: AsyncIterator[bytes]


class OllamaManagement:
    """Reaches the hosts that are known; ``hosts`` gives a deployment on each, by the host's address."""

    def __init__(self, sender: Sender, hosts: Callable[[], Mapping[str, Deployment]]) -> None:
        self._sender = sender
        self._hosts = hosts

    async def ask(self, host: str | None, method: bytes, path: bytes, body: bytes) -> HostAnswer:
        """Ask ``host``, which may be left out where there is only one. Must run inside a task.

        Raises:
            NotFound: no such host is known, or none at all.
            Malformed: there are several, and none was named.
            UpstreamFailed: it cannot be reached, or refuses.
        """
        deployment = self._choose(host)
        flight = self._sender.send(deployment, Outbound(path, body, method=method), stream=True)
        pieces = _pieces(flight)
        first = await anext(pieces)
        said = next((value for name, value in flight.headers if name == b"content-type"), b"application/json")
        return HostAnswer(said.decode("latin-1"), _after(first, pieces))

    def _choose(self, host: str | None) -> Deployment:
        hosts = self._hosts()
        known = ", ".join(hosts)
        if host is not None:
            found = hosts.get(host.rstrip("/"))
            if found is None:
                raise NotFound("No such host is known.", hint=f"Known are: {known or 'none'}.", param="host")
            return msgspec.structs.replace(found, timeouts=_TIMEOUTS)
        if not hosts:
            raise NotFound("No host of Ollama is known.", hint="Start one, or name it with --ollama.")
        if len(hosts) > 1:
            raise Malformed("There are several hosts of Ollama.", hint=f"Add ?host= and one of: {known}.", param="host")
        return msgspec.structs.replace(next(iter(hosts.values())), timeouts=_TIMEOUTS)


def management_hosts(deployments: Iterable[Deployment], urls: Iterable[str]) -> dict[str, Deployment]:
    """A deployment on each host, by its address; hosts that have no model yet are known by their URL alone."""
    found: dict[str, Deployment] = {}
    for deployment in deployments:
        if deployment.provider in {"ollama", "ollama_chat"}:
            found.setdefault(deployment.api_base, msgspec.structs.replace(deployment, id=f"host:{deployment.api_base}"))
    for url in urls:
        found.setdefault(
            url,
            Deployment(
                id=f"host:{url}", group="", provider="ollama", model="", litellm_model="", api_base=url, price=None,
                charges=False, local=True,
            ),
        )  # fmt: skip
    return found


async def _pieces(flight: Flight) -> AsyncIterator[bytes]:
    """The body as it comes. An error in place of it is raised with the first piece, a later one told in the body."""
    begun = False
    try:
        while not begun or not flight.complete or flight.inbox.items:
            piece = await _next(flight)
            if flight.status >= _FIRST_ERROR_STATUS:
                raise read_error(flight.status, piece)
            begun = True
            yield piece
    except UpstreamFailed as error:
        if not begun:
            raise
        yield msgspec.json.encode({"error": error.told()}) + b"\n"
    finally:
        flight.close()


async def _after(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece


async def _next(flight: Flight) -> bytes:
    """The next piece; a host that is silent for a while is waited for."""
    while True:
        piece = await flight.inbox.take()
        if piece is not None:
            return piece
