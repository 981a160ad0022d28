"""Many calls at once, of which some are let in and held until all others have been turned away."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from tests.support.http_client import Answer
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Gate, Reply
from tests.upstreams.openai_shapes import chat_reply, usage

__all__ = ["held_back", "rush"]


def held_back(upstream: FakeOpenAI) -> Gate:
    """Every answer of the upstream waits for this; each uses three tokens and five."""
    gate = Gate()
    upstream.always(Reply.json(chat_reply("ok", usage(3, 5))).behind(gate))
    return gate


def rush(call: Callable[[], Answer], calls: int, expected: int, gate: Gate) -> list[Answer]:
    """So many calls at once; those let in (``expected``) stay open until all others have their answers."""
    with ThreadPoolExecutor(calls) as pool:
        futures: list[Future[Answer]] = [pool.submit(call) for _ in range(calls)]
        try:
            eventually(
                lambda: sum(future.done() for future in futures) >= calls - expected,
                f"all but {expected} calls are turned away",
            )
        finally:
            gate.open()
        return [future.result() for future in futures]
