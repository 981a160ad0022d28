"""Asking a running gateway's management API from the command line."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

import msgspec

from pointsman.config.environment import process_environment
from pointsman.core.errors import Broken, Misconfigured
from pointsman.core.nursery import Nursery
from pointsman.providers.transport import Transport

__all__ = ["DEFAULT_URL", "ask_gateway", "key_of_environment"]

DEFAULT_URL: Final = "http://127.0.0.1:4000"

Shape = TypeVar("Shape")

_KEY_VARIABLES: Final = ("POINTSMAN_MASTER_KEY", "LITELLM_MASTER_KEY")
_PATIENCE_SECONDS: Final = 30.0


class _Detail(msgspec.Struct, frozen=True):
    message: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Detail = _Detail()


def key_of_environment() -> str:
    """The master key, as the environment has it; empty where it has none."""
    environment = process_environment()
    return next((environment[name] for name in _KEY_VARIABLES if environment.get(name)), "")


def ask_gateway(method: str, url: str, key: str, shape: type[Shape]) -> Shape:
    """One answer of the gateway at ``url``, path and query included.

    Raises:
        UpstreamFailed: it cannot be reached, or does not answer as a gateway.
        Misconfigured: it does not let us in, or refuses.
    """
    return asyncio.run(_ask(method, url, key, shape))


async def _ask(method: str, url: str, key: str, shape: type[Shape]) -> Shape:
    nursery = Nursery(lambda _name, _error: None)
    transport = Transport(nursery)
    nursery.start(transport.run(), "sweep")
    headers = (("Authorization", f"Bearer {key}"),) if key else ()
    try:
        reply = await transport.fetch(method, url, headers=headers, timeout_seconds=_PATIENCE_SECONDS)
    finally:
        transport.close()
        await nursery.close()
    if reply.status in {401, 403}:
        raise Misconfigured("The gateway does not take this key.", hint="Give its master key with --key.")
    try:
        if reply.status >= 400:
            raise Misconfigured(msgspec.json.decode(reply.body, type=_Refusal).error.message)
        return msgspec.json.decode(reply.body, type=shape)
    except msgspec.MsgspecError:
        raise Broken(f"What answers at {url.partition('?')[0]} (status {reply.status}) is no gateway.") from None
