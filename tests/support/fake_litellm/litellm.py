"""Stands in for LiteLLM's library: the three functions that are used, answering in its shapes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any


class RateLimitError(Exception):
    """One of its errors, as its callers see it."""

    def __init__(self) -> None:
        super().__init__("slow down")
        self.status_code = 429
        self.message = "litellm.RateLimitError: slow down"


class _Model:
    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def model_dump_json(self, *, exclude_none: bool = False) -> str:
        """As pydantic has it."""
        kept = {name: value for name, value in self._fields.items() if value is not None or not exclude_none}
        return json.dumps(kept)


async def acompletion(**asked: Any) -> Any:
    """Says which model was asked, with which key."""
    if asked["messages"][-1]["content"] == "too much":
        raise RateLimitError
    whose = "the operator's key" if asked["api_key"] == "sk-of-the-tail" else "another"
    text = f"{asked['model']} with {whose}"
    usage = {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}
    head = {"id": "chatcmpl-1", "created": 7, "model": asked["model"]}
    if asked.get("stream"):
        return _pieces(head, text, usage)
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return _Model({**head, "object": "chat.completion", "choices": [choice], "usage": usage})


async def _pieces(head: dict[str, Any], text: str, usage: dict[str, int]) -> AsyncIterator[_Model]:
    head = {**head, "object": "chat.completion.chunk"}
    for word in text.split(" "):
        delta = {"role": "assistant", "content": f"{word} "}
        yield _Model({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _Model({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield _Model({**head, "choices": [], "usage": usage})


async def aembedding(**asked: Any) -> _Model:
    """One vector per text."""
    texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
    data = [{"object": "embedding", "index": index, "embedding": [0.5, 1.0]} for index in range(len(texts))]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    return _Model({"object": "list", "model": asked["model"], "data": data, "usage": usage})
