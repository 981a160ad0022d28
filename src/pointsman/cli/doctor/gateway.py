"""The gateway itself, where one runs: whether it answers, lets the key in, and what it thinks of its models."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from pointsman import __version__
from pointsman.core.errors import GatewayError, Unreachable
from pointsman.core.secret import Secret
from pointsman.providers.health import Hop, failed_hop
from pointsman.providers.transport import Fetcher, FetchReply

__all__ = ["ask_gateway"]

Shape = TypeVar("Shape")

_NAMES_MAX: Final = 5


class _Readiness(msgspec.Struct):
    status: str = ""
    degraded: list[str] = []


class _Card(msgspec.Struct):
    id: str
    status: str | None = None


class _Cards(msgspec.Struct):
    data: list[_Card]


async def ask_gateway(
    fetcher: Fetcher, url: str, key: Secret | None, seconds_max: float, *, is_wanted: bool
) -> tuple[Hop, ...]:
    """Readiness, key, models. That none runs is only wrong where one ``is_wanted``.

    Raises:
        Misconfigured: the URL is none.
    """
    url = url.rstrip("/")
    try:
        ready = await fetcher.fetch("GET", f"{url}/health/readiness", timeout_seconds=seconds_max)
    except Unreachable as error:
        if not is_wanted:
            return (Hop("connection", "skipped", f"No gateway runs at {url}; the models are asked directly."),)
        return (Hop("connection", "failed", error.message, "Start it with: pointsman serve"),)
    except GatewayError as error:
        return (failed_hop("server", error),)
    hops = [_readiness(ready)]
    if hops[0].failed:
        return tuple(hops)
    headers = () if key is None else (("Authorization", f"Bearer {key.reveal()}"),)
    try:
        listed = await fetcher.fetch("GET", f"{url}/v1/models", headers=headers, timeout_seconds=seconds_max)
    except GatewayError as error:
        return (*hops, failed_hop("server", error))
    return (*hops, *_models(listed, has_key=key is not None))


def _readiness(reply: FetchReply) -> Hop:
    version = (reply.header(b"x-pointsman-version") or b"").decode("latin-1")
    found = _read(reply, _Readiness)
    if not version or found is None:
        hint = "Name the gateway's address with --url."
        return Hop("server", "failed", "What answers is not a gateway of this kind.", hint)
    if reply.status != 200:
        return Hop("server", "failed", f"The gateway takes no requests: {found.status or reply.status}.")
    if found.degraded:
        return Hop("server", "warning", f"The gateway is degraded: {' '.join(found.degraded)}")
    if version != __version__:
        told = f"The gateway is ready; its version is {version}, that of this command {__version__}."
        return Hop("server", "warning", told, "Restart the gateway after an update.")
    return Hop("server", "ok", f"The gateway is ready (version {version}).")


def _models(reply: FetchReply, *, has_key: bool) -> tuple[Hop, ...]:
    if reply.status in {401, 403}:
        told = "The gateway refuses the key." if has_key else "The gateway wants a key."
        hint = "Name one with --key, or in POINTSMAN_MASTER_KEY."
        return (Hop("credentials", "failed" if has_key else "warning", told, hint),)
    cards = _read(reply, _Cards)
    if cards is None or reply.status != 200:
        return (Hop("model", "failed", f"The gateway does not list its models ({reply.status})."),)
    key = Hop("credentials", "ok", "The key is good." if has_key else "It asks for no key.")
    offline = [card.id for card in cards.data if card.status == "offline"]
    if offline:
        shown = ", ".join(offline[:_NAMES_MAX]) + (", …" if len(offline) > _NAMES_MAX else "")
        return key, Hop("model", "warning", f"Of {len(cards.data)} models {len(offline)} are offline: {shown}.")
    if not cards.data:
        return key, Hop("model", "warning", "It serves no model.")
    return key, Hop("model", "ok", f"It serves {len(cards.data)} models.")


def _read(reply: FetchReply, shape: type[Shape]) -> Shape | None:
    try:
        return msgspec.json.decode(reply.body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
