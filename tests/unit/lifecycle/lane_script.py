"""A lane that breaks, waits or lets time pass at one place, and is the express lane everywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.core.usage import Usage
from pointsman.providers.express.answer import ExpressAnswer
from pointsman.providers.express.lane import ExpressLane

__all__ = ["PLACES", "Place", "ScriptedLanes"]

Place = Literal["lane", "prepare", "write", "answer", "whole", "feed", "end", "rejected", "failed"]
PLACES: tuple[Place, ...] = ("lane", "prepare", "write", "answer", "whole", "feed", "end", "rejected", "failed")


class ScriptedLanes:
    """Finds one lane for everything. ``at`` is called when the story comes to its place, and may raise."""

    def __init__(self, place: Place, at: Callable[[], None]) -> None:
        self._place = place
        self._at = at
        self.waits: asyncio.Event | None = None

    def lane(self, operation: Operation, deployment: Deployment) -> _Lane:
        self.come("lane")
        return _Lane(self, ExpressLane(deployment, operation), prepares=self._place == "prepare")

    def come(self, place: Place) -> None:
        if place == self._place:
            self._at()


class _Lane:
    def __init__(self, lanes: ScriptedLanes, inner: ExpressLane, *, prepares: bool) -> None:
        self._lanes = lanes
        self._inner = inner
        self.prepares = prepares

    async def prepare(self, ask: Ask) -> None:
        if self._lanes.waits is not None:
            await self._lanes.waits.wait()
        self._lanes.come("prepare")

    def write(self, ask: Ask) -> Outbound:
        self._lanes.come("write")
        return self._inner.write(ask)

    def answer(self, ask: Ask) -> _Answer:
        self._lanes.come("answer")
        return _Answer(self._lanes, self._inner.answer(ask))


class _Answer:
    content_type = b""
    answer_id: str | None = "answer-1"

    def __init__(self, lanes: ScriptedLanes, inner: ExpressAnswer) -> None:
        self._lanes = lanes
        self._inner = inner

    @property
    def usage(self) -> Usage:
        return self._inner.usage

    @usage.setter
    def usage(self, usage: Usage) -> None:
        self._inner.usage = usage

    @property
    def error(self) -> GatewayError | None:
        return self._inner.error

    @error.setter
    def error(self, error: GatewayError | None) -> None:
        self._inner.error = error

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        self._lanes.come("rejected")
        return self._inner.rejected(status, body, retry_after)

    def whole(self, body: bytes) -> bytes:
        self._lanes.come("whole")
        return self._inner.whole(body)

    def feed(self, data: bytes) -> bytes:
        self._lanes.come("feed")
        return self._inner.feed(data)

    def end(self) -> bytes:
        self._lanes.come("end")
        return self._inner.end()

    def is_preface(self, block: bytes) -> bool:
        return False

    def failed(self, error: GatewayError) -> bytes:
        self._lanes.come("failed")
        return self._inner.failed(error)

    def cut(self) -> None:
        self._inner.cut()
