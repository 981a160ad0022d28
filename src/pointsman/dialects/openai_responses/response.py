"""What the server needs of a request beside the call, and the response object that repeats much of it.

Source: https://platform.openai.com/docs/api-reference/responses/object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from pointsman.core.call import Call
from pointsman.core.clock import SYSTEM_CLOCK, Clock, short_id
from pointsman.core.errors import GatewayError, Malformed
from pointsman.core.events import FinishReason
from pointsman.core.usage import Usage
from pointsman.dialects.openai_responses.answers import WireUsage
from pointsman.dialects.openai_responses.errors import write_failure
from pointsman.dialects.openai_responses.types import ConversationFields, ResponsesRequest
from pointsman.wire.json_fields import read_body, read_fields

__all__ = [
    "ResponseRequest",
    "Status",
    "read_response_request",
    "read_usage",
    "response_fields",
    "write_response",
    "write_usage",
]

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]

_COUNT_MAX: Final = 2**53
"""The largest integer that every reader of JSON holds exactly."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(ResponsesRequest).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_NULL: Final = msgspec.Raw(b"null")

_ECHOED: Final = {
    "max_output_tokens": _NULL,
    "max_tool_calls": _NULL,
    "parallel_tool_calls": msgspec.Raw(b"true"),
    "prompt_cache_key": _NULL,
    "prompt_cache_retention": _NULL,
    "safety_identifier": _NULL,
    "service_tier": msgspec.Raw(b'"default"'),
    "temperature": msgspec.Raw(b"1.0"),
    "top_logprobs": msgspec.Raw(b"0"),
    "top_p": msgspec.Raw(b"1.0"),
    "presence_penalty": msgspec.Raw(b"0.0"),
    "frequency_penalty": msgspec.Raw(b"0.0"),
    "tool_choice": msgspec.Raw(b'"auto"'),
    "tools": msgspec.Raw(b"[]"),
    "truncation": msgspec.Raw(b'"disabled"'),
    "user": _NULL,
}
"""Fields that a response repeats, and what OpenAI says where the request said nothing; strict clients want them all."""

_ECHOED_OBJECTS: Final = {
    "text": {"format": msgspec.Raw(b'{"type":"text"}')},
    "reasoning": {"effort": _NULL, "summary": _NULL},
}
"""The same for two objects, field by field."""

_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says that is for the server to do, or for the response to repeat.

    ``id`` is the response's, made up here so that it is known before any upstream is asked. ``input`` is raw, empty if
    there was none. ``echo`` holds the fields that the response repeats, with OpenAI's values for those not said.
    ``history`` are the items that the request continues, once they were looked up.
    """

    id: str
    created_at: int
    input: str | tuple[msgspec.Raw, ...] = ()
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | None = None
    store: bool = True
    background: bool = False
    include: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    summary: str | None = None
    truncation: Literal["auto", "disabled"] | None = None
    echo: dict[str, msgspec.Raw] = {}
    history: tuple[msgspec.Raw, ...] = ()


def read_response_request(
    body: bytes, *, new_id: Callable[[str], str] = short_id, clock: Clock = SYSTEM_CLOCK
) -> ResponseRequest:
    """What the server needs of a request beside the :class:`~pointsman.core.call.Call`.

    Raises:
        Malformed: a field is of a wrong type or value, or two contradict each other; ``param`` names it.
    """
    fields = read_fields(body)
    request = read_body(body, _decode)
    conversation = request.conversation
    if isinstance(conversation, ConversationFields):
        conversation = conversation.id
    if conversation is not None and request.previous_response_id is not None:
        raise Malformed(
            "previous_response_id and conversation exclude each other.", hint="Send one of them.", param="conversation"
        )
    if request.background and request.store is False:
        raise Malformed("background needs store.", hint="Leave store out, or send store: true.", param="background")
    reasoning = request.reasoning
    return ResponseRequest(
        id=new_id("resp_"),
        created_at=int(clock.wall()),
        input=request.input if isinstance(request.input, str) else tuple(request.input or ()),
        instructions=request.instructions or None,
        previous_response_id=request.previous_response_id or None,
        conversation=conversation or None,
        store=request.store is not False,
        background=request.background or False,
        include=tuple(request.include or ()),
        metadata=request.metadata or {},
        summary=None if reasoning is None else reasoning.summary or reasoning.generate_summary,
        truncation=request.truncation,
        echo=_read_echo(fields),
    )


def _read_echo(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    echo = {name: _said(fields, name) or default for name, default in _ECHOED.items()}
    for name, defaults in _ECHOED_OBJECTS.items():
        raw = _said(fields, name)
        said = {} if raw is None else {key: value for key, value in _decode_object(raw).items() if value != _NULL}
        echo[name] = msgspec.Raw(_encode(defaults | said))
    return echo


def _said(fields: dict[str, msgspec.Raw], name: str) -> msgspec.Raw | None:
    raw = fields.get(name, _NULL)
    return None if raw == _NULL else raw


def write_response(
    request: ResponseRequest,
    call: Call,
    status: Status,
    *,
    output: Sequence[object] = (),
    usage: Usage | None = None,
    reason: FinishReason | None = None,
    error: GatewayError | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> dict[str, object]:
    """A response object, to be encoded; the model stands there under the name that the client asked for."""
    incomplete = _INCOMPLETE.get(reason or "") if status == "incomplete" else None
    return response_fields(request, call.model, status) | {
        "completed_at": int(clock.wall()) if status == "completed" else None,
        "error": None if error is None else write_failure(error),
        "incomplete_details": None if incomplete is None else {"reason": incomplete},
        "output": output,
        "usage": None if usage is None else write_usage(usage),
    }


def response_fields(request: ResponseRequest, model: str, status: Status) -> dict[str, object]:
    """A response object that has no output yet, to be encoded."""
    return {
        "id": request.id,
        "object": "response",
        "created_at": request.created_at,
        "status": status,
        "background": request.background,
        "completed_at": None,
        "conversation": None if request.conversation is None else {"id": request.conversation},
        "error": None,
        "incomplete_details": None,
        "instructions": request.instructions,
        "metadata": request.metadata,
        "model": model,
        "output": (),
        "previous_response_id": request.previous_response_id,
        "store": request.store,
        "usage": None,
        **request.echo,
    }


def write_usage(usage: Usage) -> dict[str, object]:
    """The counts with their details."""
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def read_usage(wire: WireUsage | None) -> Usage | None:
    """The counts as measured, or None where the server gave none."""
    if wire is None or (wire.input_tokens is None and wire.output_tokens is None):
        return None
    given, made = wire.input_tokens_details, wire.output_tokens_details
    return Usage(
        prompt=_count(wire.input_tokens),
        completion=_count(wire.output_tokens),
        cached=_count(given.cached_tokens if given else None),
        cache_write=_count(given.cache_write_tokens if given else None),
        reasoning=_count(made.reasoning_tokens if made else None),
        source="measured",
    )


def _count(said: int | None) -> int:
    """A count that a ledger can hold, whatever the server said."""
    return min(max(said or 0, 0), _COUNT_MAX)
