from __future__ import annotations

from typing import Any

import msgspec

from pointsman.core.access import AwsAccess
from pointsman.core.errors import Unreachable
from pointsman.core.nursery import Nursery
from pointsman.core.price import FREE
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment
from pointsman.providers.bedrock import AwsKeyring
from pointsman.providers.bedrock.keys import Grant
from pointsman.providers.health import Admittance
from pointsman.providers.tokens import TokenBook
from pointsman.providers.transport import FetchReply, Origin

KEY = "sk-upstream-canary-7a1b"


class StillClock:
    """Stands where it is put."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def wall(self) -> float:
        return 1_790_000_000.0 + self.now

    def monotonic(self) -> float:
        return self.now


class Wire:
    """Answers from ``replies`` by URL; whoever is not there cannot be reached. ``asked`` has what was asked."""

    def __init__(self, **_: Any) -> None:
        self.replies: dict[str, FetchReply] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def says(self, url: str, body: Any, status: int = 200) -> None:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        self.replies[url] = FetchReply(status, (), raw)

    async def fetch(self, method: str, url: str, *, headers: tuple[tuple[str, str], ...] = (), **_: Any) -> FetchReply:
        assert method == "GET"
        self.asked.append((url, dict(headers)))
        if url not in self.replies:
            raise Unreachable(f"Cannot reach the upstream at {Origin.parse(url).url}: refused.", hint="Check that.")
        return self.replies[url]


async def no_keys(_access: AwsAccess) -> Grant:
    raise Unreachable("No AWS credentials were found.")


def admittance(wire: Wire, clock: StillClock | None = None) -> Admittance:
    clock = clock or StillClock()
    nursery = Nursery(lambda _name, _error: None)
    return Admittance(TokenBook(wire, nursery, clock), AwsKeyring(no_keys, nursery, clock))


def deployment(provider: str, model: str, api_base: str, **changes: Any) -> Deployment:
    given: dict[str, Any] = {
        "id": f"{provider}-{model}",
        "group": model,
        "provider": provider,
        "model": model,
        "litellm_model": f"{provider}/{model}",
        "api_base": api_base,
        "price": FREE,
        "api_key": Secret(KEY),
        **changes,
    }
    return Deployment(**given)
