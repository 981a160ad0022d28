"""Calls, keys and teams as a large company would have them.

Everything about a call follows from its number by whole-number arithmetic, so that the same calls can be made in
Python, one by one, and in SQL, millions at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from pointsman.core.identity import KeyRecord, token_of
from pointsman.core.outcome import CallRecord
from pointsman.core.usage import Usage
from pointsman.stores.directory.records import Team, User

__all__ = [
    "CUSTOMERS",
    "DAYS",
    "MODELS",
    "ORGANIZATIONS",
    "START",
    "Company",
    "key_text",
    "provider_of",
    "token_of_key",
]

START: Final = 1_767_225_600.0
"""2026-01-01, 00:00 UTC: when it all begins, unless a company says otherwise."""
DAYS: Final = 90
MODELS: Final = ("gpt-fast", "gpt-large", "claude", "local-llama", "embedder")
ORGANIZATIONS: Final = 20
CUSTOMERS: Final = 1000
_DAY_SECONDS: Final = 86_400
_PROVIDERS: Final = {"gpt-fast": "openai", "gpt-large": "openai", "claude": "anthropic"}
_SLOTS: Final = (0,) * 10 + (1,) * 3 + (2,) * 3 + (3,) * 3 + (4,)
"""How popular models are, in twentieths."""
_DICE: Final = (2_654_435_761, 2_246_822_519, 3_266_489_917, 668_265_263)
"""Odd numbers; a call's number times one of them, but for the ends, is as good as thrown."""


class Company(msgspec.Struct, frozen=True):
    """So many keys in so many teams; a tenth of the keys makes nine tenths of the calls, most keys use two models.

    ``start`` is the beginning of a day, in seconds since the epoch; calls are of the 90 days from then on.
    """

    keys: int
    teams: int
    start: float = START

    @property
    def busy(self) -> int:
        """The keys that make most of the calls are numbered below this."""
        return max(1, self.keys // 10)

    def key(self, number: int) -> KeyRecord:
        """A key that has not been used yet."""
        return KeyRecord(
            token=token_of_key(number),
            key_name=f"sk-...{number % 10_000:04d}",
            key_alias=f"key-{number}",
            user_id=self.user(number),
            team_id=self.team(number),
            max_budget=10**14,
            rpm_limit=1000,
            created_at=self.start + number,
            updated_at=self.start + number,
        )

    def team(self, key: int) -> str:
        """The team of a key."""
        return f"team-{key % self.teams}"

    def user(self, key: int) -> str:
        """The user of a key, who has two of them."""
        return f"user-{key // 2}"

    def entries(self) -> Iterator[Team | User]:
        """Every team, and every user."""
        for number in range(self.teams):
            yield Team(team_id=f"team-{number}", alias=f"Team {number}", created_at=self.start, updated_at=self.start)
        for number in range((self.keys + 1) // 2):
            at = self.start + number
            yield User(user_id=f"user-{number}", created_at=at, updated_at=at)

    def calls(self, count: int, first: int = 0, last: int | None = None) -> Iterator[CallRecord]:
        """Calls from number ``first`` to before ``last``, if ``count`` of them make 90 days."""
        step = DAYS * _DAY_SECONDS / count
        for number in range(first, count if last is None else last):
            key = _dice(number, 0) % (self.busy if number % 10 else self.keys)
            slot = (key * 7 + (5 if _dice(number, 1) % 4 == 0 else 0)) % len(_SLOTS)
            failed = number % 50 == 7
            record = self.call(key, _SLOTS[slot], failed=failed)
            prompt, completion = 20 + _dice(number, 2) % 3980, 1 + _dice(number, 3) % 800
            record.call_id = f"bench-{number:08x}"
            record.answer_id = f"chatcmpl-{number * _DICE[0] & 0xFFFFFFFF:08x}"
            record.started_at = self.start + number * step
            record.ended_at = record.started_at + (200 + 10 * completion) / 1000.0
            record.first_token_at = record.started_at + 0.2
            record.end_user = f"customer-{_dice(number, 2) % CUSTOMERS}" if number % 10 == 3 else None
            record.usage = Usage(prompt, 0 if failed else completion, source="measured")
            record.cost = 0 if failed else prompt * 150_000 + completion * 600_000
            yield record

    def call(self, key: int, model: int, *, failed: bool) -> CallRecord:
        """What calls of a key to a model have in common."""
        name = MODELS[model]
        return CallRecord(
            call_id="",
            operation="acompletion",
            route="/v1/chat/completions",
            started_at=self.start,
            ended_at=self.start,
            status="failure" if failed else "success",
            http_status=429 if failed else 200,
            key_token=token_of_key(key),
            key_alias=f"key-{key}",
            user_id=self.user(key),
            team_id=self.team(key),
            organization_id=f"org-{key % ORGANIZATIONS}",
            model_requested=name,
            model_group=name,
            deployment_id=f"deployment-{name}",
            model=name,
            provider=provider_of(name),
            api_base=f"https://{name}.example/v1",
            usage=Usage(source="measured"),
            attempts=1,
            stream=True,
            overhead_ms=0.3,
            tags=("web",) if key % 4 else ("web", "User-Agent: sdk"),
            peer="10.0.0.1",
        )


def key_text(number: int) -> str:
    """A key as its owner has it."""
    return f"sk-bench-{number}"


def token_of_key(number: int) -> str:
    """What a key is stored under."""
    return token_of(key_text(number))


def provider_of(model: str) -> str:
    """Whose a model is."""
    return _PROVIDERS.get(model, "ollama")


def _dice(number: int, which: int) -> int:
    """24 bits."""
    return (number * _DICE[which] & 0xFFFFFFFF) >> 8
