"""From a question about a request to the request itself, run dry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.admin.office import Question
from pointsman.core.errors import Unsupported
from pointsman.core.exchange import ClientDialect, Inbound, InferenceRoute, RequestHead
from pointsman.core.upstream import Operation
from pointsman.lifecycle.explain import explain
from pointsman.lifecycle.explanation import Explanation
from pointsman.lifecycle.house import House
from pointsman.policies.principal import Principal

__all__ = ["answer"]

_IN_PATH: Final = frozenset({
    Operation.GEMINI_CHAT, Operation.GEMINI_STREAM, Operation.GEMINI_ARRAY_STREAM, Operation.GEMINI_EMBED,
    Operation.GEMINI_BATCH_EMBED,
})  # fmt: skip
"""Operations whose clients name the model in the path."""
_OF_MODE: Final[Mapping[str, Operation]] = {
    "embedding": Operation.EMBEDDING,
    "completion": Operation.COMPLETION,
    "image_generation": Operation.IMAGE,
    "rerank": Operation.RERANK,
    "moderation": Operation.MODERATION,
}
_SHORTEST: Final[Mapping[Operation, Mapping[str, object]]] = {
    Operation.CHAT: {"messages": [{"role": "user", "content": "Hello"}]},
    Operation.COMPLETION: {"prompt": "Hello"},
    Operation.EMBEDDING: {"input": "Hello"},
    Operation.MODERATION: {"input": "Hello"},
    Operation.IMAGE: {"prompt": "Hello"},
    Operation.RERANK: {"query": "Hello", "documents": ["Hello"]},
    Operation.MESSAGES: {"max_tokens": 1024, "messages": [{"role": "user", "content": "Hello"}]},
    Operation.RESPONSES: {"input": "Hello"},
    Operation.GEMINI_CHAT: {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
    Operation.OLLAMA_CHAT: {"messages": [{"role": "user", "content": "Hello"}]},
    Operation.OLLAMA_GENERATE: {"prompt": "Hello"},
    Operation.OLLAMA_EMBED: {"input": "Hello"},
}
"""What is asked where only a model is named."""


def answer(
    house: House,
    dialects: Mapping[Operation, ClientDialect],
    asker: Principal,
    question: Question,
    *,
    for_operator: bool,
) -> Explanation:
    """What would become of the request.

    Raises:
        Malformed, Unsupported: it is none that could be sent.
    """
    operation = question.operation or _usual_operation(house, question)
    dialect = dialects.get(operation)
    if dialect is None:
        raise Unsupported(f"{operation.value} is not served here.", param="call_type")
    clock = house.clock
    head = RequestHead(
        InferenceRoute(operation, dialect, "/routing/explain"),
        b"",
        [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in question.headers],
        question.model if operation in _IN_PATH else None,
    )
    inbound = Inbound(head, _body(question, operation), clock.monotonic(), clock.wall())
    return explain(inbound, asker, house, for_operator=for_operator)


def _usual_operation(house: House, question: Question) -> Operation:
    """What the model is for, where only the model is named."""
    if question.body is not None or question.model is None:
        return Operation.CHAT
    pool = house.router.pool(question.model)
    return Operation.CHAT if pool is None else _OF_MODE.get(pool.members[0].deployment.mode, Operation.CHAT)


def _body(question: Question, operation: Operation) -> bytes:
    if question.body is None:
        shortest = _SHORTEST.get(operation)
        if shortest is None:
            raise Unsupported(f"{operation.value} needs a request_body.", param="request_body")
        return msgspec.json.encode({"model": question.model, **shortest})
    if question.model is None:
        return question.body
    fields = msgspec.json.decode(question.body, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({**fields, "model": question.model})
