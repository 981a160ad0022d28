"""Responses that are stored: found in what a client is sent, read again, and told with what became of them later.

Sources: https://platform.openai.com/docs/api-reference/responses/object and, for the background,
https://platform.openai.com/docs/guides/background.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.errors import GatewayError
from pointsman.dialects.openai_responses.errors import write_failure
from pointsman.dialects.openai_responses.response import ResponseRequest, Status, response_fields

__all__ = [
    "INTERRUPTED",
    "KeptResponse",
    "failed_response",
    "final_response",
    "read_kept",
    "refusal_of",
    "told_response",
    "unfinished_response",
]

_FINAL: Final = re.compile(rb"(?:^|\n)event: response\.(?:completed|incomplete|failed)\ndata: ([^\n]*)\n\n")

INTERRUPTED: Final = "The gateway stopped before this response was complete."


class KeptResponse(msgspec.Struct):
    """What must be known of a response object to store it, and to go on from it."""

    status: Status
    id: str | None = None
    output: list[msgspec.Raw] = []


class _FinalEvent(msgspec.Struct):
    response: msgspec.Raw


class _ErrorFields(msgspec.Struct):
    message: str = ""
    code: str | None = None
    param: str | None = None


class _ErrorBody(msgspec.Struct):
    error: _ErrorFields


_encode: Final = msgspec.json.Encoder().encode
_decode_kept: Final = msgspec.json.Decoder(KeptResponse).decode
_decode_event: Final = msgspec.json.Decoder(_FinalEvent).decode
_decode_error: Final = msgspec.json.Decoder(_ErrorBody).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def final_response(block: bytes) -> msgspec.Raw | None:
    """The whole response that the last event of a stream carries, if that event is among these complete ones."""
    found = _FINAL.search(block)
    if found is None:
        return None
    try:
        return _decode_event(found[1]).response
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def read_kept(body: bytes) -> KeptResponse:
    """A response object.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _decode_kept(body)


def unfinished_response(request: ResponseRequest, model: str, status: Status) -> msgspec.Raw:
    """The response to a request that is worked on in the background."""
    return msgspec.Raw(_encode(response_fields(request, model, status)))


def failed_response(
    request: ResponseRequest, model: str, error: GatewayError, first: int
) -> tuple[msgspec.Raw, tuple[bytes, ...]]:
    """The response to a request that failed in the background, and the events that tell of it.

    ``first`` is the number of the first of these events; with 0 they are a whole stream.
    """
    fields = response_fields(request, model, "failed") | {"error": write_failure(error)}
    body = msgspec.Raw(_encode(fields))
    told = [("response.failed", body)]
    if first == 0:
        begun = unfinished_response(request, model, "in_progress")
        told = [("response.created", begun), ("response.in_progress", begun), *told]
    return body, tuple(_event(kind, response, first + index) for index, (kind, response) in enumerate(told))


def _event(kind: str, response: msgspec.Raw, number: int) -> bytes:
    data = _encode({"type": kind, "response": response, "sequence_number": number})
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def refusal_of(status: int, body: bytes) -> GatewayError:
    """The error that an error answer in OpenAI's form told of."""
    try:
        fields = _decode_error(body).error
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        fields = _ErrorFields("The request failed.")
    return GatewayError(fields.message, code=fields.code, param=fields.param, status=status)


def told_response(body: msgspec.Raw, status: Status) -> msgspec.Raw:
    """A stored response as it was stored, but for a status that changed since: it was cancelled, or lost."""
    if read_kept(body).status == status:
        return body
    changed: dict[str, object] = {"status": status}
    if status == "failed":
        changed["error"] = write_failure(GatewayError(INTERRUPTED))
    return msgspec.Raw(_encode(_decode_object(body) | changed))
