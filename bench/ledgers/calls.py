"""Calls, keys and teams as a large company would have them, from a fixed seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import msgspec

from pointsman.core.identity import KeyRecord, token_of
from pointsman.core.outcome import CallRecord
from pointsman.core.usage import Usage

__all__ = ["DAYS", "START", "Company", "key_text", "token_of_key"]

START: Final = 1_767_225_600.0
"""2026-01-01, 00:00 UTC."""
DAYS: Final = 90
_DAY_SECONDS: Final = 86_400
_MODELS: Final = ("gpt-fast", "gpt-large", "claude", "local-llama", "embedder")
_WEIGHTS: Final = (50, 15, 15, 15, 5)
_PROVIDERS: Final = {"gpt-fast": "openai", "gpt-large": "openai", "claude": "anthropic"}


class Company(msgspec.Struct, frozen=True):
    """So many keys in so many teams; a tenth of the keys makes nine tenths of the calls."""

    keys: int
    teams: int

    def records(self) -> Iterator[KeyRecord]:
        """Every key."""
        for number in range(self.keys):
            yield KeyRecord(
                token=token_of_key(number),
                key_name=f"sk-...{number % 10_000:04d}",
                key_alias=f"key-{number}",
                user_id=f"user-{number // 2}",
                team_id=self.team(number),
                max_budget=10**14,
                rpm_limit=1000,
                created_at=START,
                updated_at=START,
            )

    def team(self, key: int) -> str:
        """The team of a key."""
        return f"team-{key % self.teams}"

    def calls(self, count: int, seed: int = 1) -> Iterator[CallRecord]:
        """So many calls of 90 days, in the order in which they began."""
        dice = random.Random(seed)
        busy = max(1, self.keys // 10)
        step = DAYS * _DAY_SECONDS / count
        for number in range(count):
            key = dice.randrange(busy) if dice.random() < 0.9 else dice.randrange(self.keys)
            model = dice.choices(_MODELS, _WEIGHTS)[0]
            prompt, completion = dice.randrange(20, 4000), dice.randrange(1, 800)
            at = START + number * step
            took = 0.2 + completion / 100
            failed = number % 50 == 0
            yield CallRecord(
                call_id=f"bench-{number >> 20:04x}-{number:08x}",
                operation="acompletion",
                route="/v1/chat/completions",
                started_at=at,
                ended_at=at + took,
                first_token_at=at + 0.2,
                status="failure" if failed else "success",
                http_status=429 if failed else 200,
                key_token=token_of_key(key),
                key_alias=f"key-{key}",
                user_id=f"user-{key // 2}",
                team_id=self.team(key),
                organization_id=f"org-{key % 20}",
                end_user=f"customer-{dice.randrange(1000)}" if number % 10 == 0 else None,
                model_requested=model,
                model_group=model,
                deployment_id=f"deployment-{model}",
                model=model,
                provider=_PROVIDERS.get(model, "ollama"),
                api_base=f"https://{model}.example/v1",
                usage=Usage(prompt, 0 if failed else completion, source="measured"),
                cost=0 if failed else prompt * 150_000 + completion * 600_000,
                attempts=1,
                stream=True,
                overhead_ms=0.3,
                tags=("web",) if number % 4 else ("web", "User-Agent: sdk"),
                peer="10.0.0.1",
            )


def key_text(number: int) -> str:
    """A key as its owner has it."""
    return f"sk-bench-{number}"


def token_of_key(number: int) -> str:
    """What a key is stored under."""
    return token_of(key_text(number))
