"""Many requests at once, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from tests.support.gateway import Gateway

__all__ = ["Served", "ask_many"]


class Served(msgspec.Struct, frozen=True):
    """One answer. ``ended_at`` is monotonic seconds, ``by`` the deployment's id."""

    status: int
    body: bytes
    seconds: float
    ended_at: float
    by: str
    attempts: int


def ask_many(gateway: Gateway, model: str, count: int, *, at_once: int = 8, **fields: Any) -> Sequence[Served]:
    """The answers to ``count`` chat requests, ``at_once`` of them under way."""

    def ask(_: int) -> Served:
        started = time.monotonic()
        answer = gateway.chat(model, **fields)
        now = time.monotonic()
        heads = answer.headers
        by, attempts = heads.get("x-litellm-model-id", ""), int(heads.get("x-pointsman-attempts", "0"))
        return Served(answer.status, answer.body, now - started, now, by, attempts)

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(ask, range(count)))
