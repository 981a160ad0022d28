"""A token service that answers from a script, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

import msgspec

from pointsman.core.errors import Unreachable
from pointsman.providers.transport import FetchReply

__all__ = ["Answering", "Asked"]


class Asked(msgspec.Struct):
    """One request."""

    method: str
    url: str
    form: dict[str, str]
    headers: dict[str, str]
    content_type: str


class Answering:
    """See :class:`pointsman.providers.tokens.Fetcher`; without an answer left, nobody is there.

    ``hold`` keeps every answer back until it is set.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Asked] = []
        self.hold: asyncio.Event | None = None

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
        timeout_seconds: float = 5.0,
        content_type: str = "application/json",
    ) -> FetchReply:
        """The next answer: a body, or a status and a body; text is sent as it is."""
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.asked.append(Asked(method, url, form, dict(headers), content_type))
        if self.hold is not None:
            await self.hold.wait()
        await asyncio.sleep(0)
        if not self.answers:
            raise Unreachable(f"Cannot reach {url}.")
        answer = self.answers.pop(0)
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        return FetchReply(status, (), data)
