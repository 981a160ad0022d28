"""The first call of a newcomer: where the gateway is, where its key is, and a ``curl`` line that works when pasted."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote
from typing import Final

import msgspec

from pointsman.assembly.gateway import Gateway
from pointsman.assembly.plan import ServePlan
from pointsman.config.environment import process_environment
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment

__all__ = ["KeyPlace", "base_url", "curl_line", "key_place"]

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared, not bound
_QUESTION: Final = "Why do trains need points?"
_USUAL_VARIABLES: Final = ("POINTSMAN_MASTER_KEY", "LITELLM_MASTER_KEY")


class KeyPlace(msgspec.Struct, frozen=True):
    """Where the master key is: ``told`` to people, and as a ``header`` argument of curl ("": none is needed).

    ``complete`` is False where the header has a gap that the reader has to fill.
    """

    told: str
    header: str = ""
    complete: bool = True


def base_url(plan: ServePlan) -> str:
    """Where this machine reaches the gateway, without ``/v1``."""
    host = plan.host.strip("[]")
    shown = _EVERYWHERE.get(host) or (f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{plan.port}"


def key_place(gateway: Gateway, *, made: bool) -> KeyPlace:
    """Where the key is. It is revealed only if it has just been ``made``."""
    key = gateway.master_key
    if key is None:
        return KeyPlace("none is asked for (--no-auth)")
    kept = (gateway.plan.data_directory / "master.key").resolve()
    if made:
        header = f"-H {quote('Authorization: Bearer ' + key.reveal())}"
        return KeyPlace(f"{key.reveal()}   (made just now, shown once; kept in {kept})", header)
    if gateway.loaded.master_key is None:
        # Quotes within a command substitution are its own, even where it stands within double quotes.
        return KeyPlace(f"in {kept}", f'-H "Authorization: Bearer $(cat {quote(str(kept))})"')
    variable = _variable_with(key)
    if variable is not None:
        return KeyPlace(f"in ${variable}", f'-H "Authorization: Bearer ${variable}"')
    told = f"general_settings.master_key of {gateway.plan.config_path}"
    return KeyPlace(told, "-H 'Authorization: Bearer YOUR-KEY'", complete=False)


def curl_line(place: KeyPlace, url: str, deployments: Iterable[Deployment]) -> str:
    """A command that works when pasted: it chats if there is a model for it, or else embeds, or lists the models."""
    parts = ["curl", "-g"] if "[" in url else ["curl"]
    parts += [place.header] if place.header else []
    first = {entry.mode: entry.group for entry in reversed(list(deployments))}
    asked: dict[str, object]
    if "chat" in first:
        path = "chat/completions"
        asked = {"model": first["chat"], "messages": [{"role": "user", "content": _QUESTION}]}
    elif "embedding" in first:
        path, asked = "embeddings", {"model": first["embedding"], "input": _QUESTION}
    else:
        return " ".join([*parts, f"{url}/v1/models"])
    return " ".join([*parts, f"{url}/v1/{path}", "-d", quote(msgspec.json.encode(asked).decode())])


def _variable_with(key: Secret) -> str | None:
    """The variable of the operator's own shell that holds the key; a configuration may refer to any."""
    environment = process_environment()
    names = (*_USUAL_VARIABLES, *sorted(environment))
    return next(
        (name for name in names if name.isidentifier() and key.matches(environment.get(name, "").strip())), None
    )
