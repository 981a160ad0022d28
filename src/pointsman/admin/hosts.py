"""``/hosts/load`` and ``/hosts/unload``: an operator has a model loaded on a local host, or unloaded, at once."""

from __future__ import annotations

import msgspec

from pointsman.admin.office import HostMinder, Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Unsupported

__all__ = ["HostActionReply", "LoadModelRequest", "UnloadModelRequest", "load_model", "unload_model"]


class LoadModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """``model`` is a name that clients know. ``host`` is an address; without it, one host that serves the model.

    ``keep_alive`` is for how long it stays after its last request, in Ollama's form; without it, as it is usual there.
    """

    model: str
    host: str | None = None
    keep_alive: int | float | str | None = None


class UnloadModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """``model`` is a name that clients know. ``host`` is an address; without it, all that have the model loaded."""

    model: str
    host: str | None = None


class HostActionReply(msgspec.Struct, frozen=True):
    """On which hosts it was done."""

    model: str
    hosts: tuple[str, ...]


async def load_model(office: Office, visit: Visit[Nothing, LoadModelRequest]) -> Answer:
    """Answered once the model is loaded."""
    asked = visit.body
    keep_alive = None if asked.keep_alive is None else msgspec.Raw(msgspec.json.encode(asked.keep_alive))
    hosts = await _minder(office).load_now(asked.model, asked.host, keep_alive)
    return Answer(HostActionReply(asked.model, tuple(hosts)))


async def unload_model(office: Office, visit: Visit[Nothing, UnloadModelRequest]) -> Answer:
    """Answered once the hosts have been told."""
    hosts = await _minder(office).unload_now(visit.body.model, visit.body.host)
    return Answer(HostActionReply(visit.body.model, tuple(hosts)))


def _minder(office: Office) -> HostMinder:
    """Who does it.

    Raises:
        Unsupported: nobody.
    """
    if office.minder is None:
        raise Unsupported("No local hosts are minded here.")
    return office.minder
