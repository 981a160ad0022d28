"""A book over stores in memory, and requests for responses."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec

from pointsman.core.errors import StorageUnavailable
from pointsman.core.identity import Owner
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.openai_responses.dialect import read_ask
from pointsman.providers.stateful import ResponseBook
from pointsman.stores.memory import MemoryConversationStore, MemoryDatabase, MemoryResponseStore
from pointsman.stores.response_ports import KeptItem, ResponseRecord
from tests.unit.policies.desk import FakeClock

__all__ = ["ME", "BrokenStore", "Desk", "asked"]

ME = Owner("me")


class BrokenStore(MemoryResponseStore):
    """Cannot write, or (once it is ``stuck``) never ends."""

    stuck = False

    async def put(self, record: ResponseRecord, added: Any = (), *, kept: bool = True, named: Any = ()) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        raise StorageUnavailable("The disk is full.")


class Desk:
    """The book and its stores; ``estimate`` counts bytes."""

    def __init__(self, *, retention_days: int = 30, broken: bool = False) -> None:
        database = MemoryDatabase()
        self.clock = FakeClock()
        self.responses = (BrokenStore if broken else MemoryResponseStore)(database)
        self.conversations = MemoryConversationStore(database)
        self.book = ResponseBook(
            self.responses,
            self.conversations,
            estimate=len,
            clock=self.clock,
            retention_days=retention_days,
            keep_seconds=0.01 if broken else 5.0,
        )

    async def keep(self, name: str, text: str = "Blue", **changes: Any) -> None:
        """Store a response with one item of input and one of output."""
        item: dict[str, Any] = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        hexadecimal = name.removeprefix("resp_")
        output = {"id": f"msg_{hexadecimal}00", "type": "message", "role": "assistant", "content": []}
        given: dict[str, Any] = {
            "id": name,
            "owner": "me",
            "model": "m",
            "status": "completed",
            "created_at": self.clock.wall(),
            "expires_at": self.clock.wall() + 9,
            "body": raw({"status": "completed", "output": [output]}),
            "input_items": raw([{"id": f"msg_{hexadecimal}i00", **item}]),
            **changes,
        }
        await MemoryResponseStore.put(self.responses, ResponseRecord(**given))


def raw(content: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(content).encode())


def kept(name: str) -> KeptItem:
    return KeptItem(name, raw({"id": name, "role": "user", "content": name}))


def asked(owner: Owner = ME, **fields: Any) -> Ask:
    """A request as the story has it when it prepares."""
    ask = read_ask(json.dumps({"model": "m", "input": "x", **fields}).encode(), Operation.RESPONSES, None)
    ask.owner = owner
    return ask
