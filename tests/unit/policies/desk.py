"""Keys and requests as the tests of this folder need them."""

from __future__ import annotations

import msgspec

from pointsman.core.identity import KeyRecord, token_of
from pointsman.core.price import Price
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.core.usage import Usage

CENT = 10**10
"""In picodollars."""


class FakeClock:
    """Time that only passes when told."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._epoch = 1_700_000_000.0

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._epoch += seconds

    def wall(self) -> float:
        return self._epoch + self.now

    def monotonic(self) -> float:
        return self.now


class FakeSource:
    """A key store that counts what it is asked."""

    def __init__(self, *records: KeyRecord) -> None:
        self.records = {record.token: record for record in records}
        self.asked: list[str] = []

    async def get(self, token: str) -> KeyRecord | None:
        self.asked.append(token)
        return self.records.get(token)


def key_record(key: str = "sk-test", /, **values: object) -> KeyRecord:
    """A virtual key with nothing but what is given."""
    return msgspec.structs.replace(KeyRecord(token=token_of(key), key_name="sk-...test"), **values)


def ask(prompt: int = 100, limit: int | None = 50, choices: int = 1) -> Ask:
    """A chat request."""
    return Ask(Operation.CHAT, "m", {}, prompt_estimate=prompt, output_limit=limit, choices=choices)


def used(tokens: int) -> Usage:
    """So many tokens that went in."""
    return Usage(tokens)


def deployment(price: Price | None = None, *, charges: bool = False) -> Deployment:
    """A deployment; free unless a price is given."""
    return Deployment(
        id="d",
        group="m",
        provider="openai",
        model="m",
        litellm_model="openai/m",
        api_base="http://x",
        price=price,
        charges=charges,
    )


def priced(input_cents: int = 1, output_cents: int = 1) -> Deployment:
    """A deployment whose tokens cost whole cents."""
    return deployment(Price(input_cents * CENT * 1000, output_cents * CENT * 1000), charges=True)
