"""Reading what a management request says: its body, within bounds, and its query, as typed data."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect, Request

from pointsman.core.errors import Malformed
from pointsman.wire.json_fields import read_body, read_fields

__all__ = ["BODY_BYTES_MAX", "FIELDS_MAX", "read_bytes", "read_form", "read_query", "read_struct"]

BODY_BYTES_MAX: Final = 1024 * 1024
"""A management request; a key with thousands of models fits."""

FORM_BYTES_MAX: Final = 16 * 1024
_FORM: Final = "application/x-www-form-urlencoded"

BODY_SECONDS_MAX: Final = 20.0

FIELDS_MAX: Final = 256
"""Fields of a management request; LiteLLM's longest has about 70."""

Read = TypeVar("Read", bound=msgspec.Struct)


async def read_bytes(request: Request, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """The whole body, of at most so many bytes.

    Raises:
        Malformed: too long (413), too slow (408), or not JSON by its own account (415).
    """
    _demand_json(request.headers.get("content-type"))
    return await _read_bytes(request, bytes_max)


async def _read_bytes(request: Request, bytes_max: int) -> bytes:
    if int(_digits(request.headers.get("content-length"))) > bytes_max:
        raise _too_long(bytes_max)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for block in request.stream():
                body += block
                if len(body) > bytes_max:
                    raise _too_long(bytes_max)
    except TimeoutError:
        raise Malformed(f"The body did not come within {BODY_SECONDS_MAX:g} s.", status=408) from None
    except ClientDisconnect:
        raise Malformed("The client went away before its request was complete.") from None
    return bytes(body)


async def read_form(request: Request, kind: type[Read]) -> Read:
    """A form of a web page as ``kind``.

    Raises:
        Malformed: as :func:`read_bytes` and :func:`read_query`.
    """
    if (request.headers.get("content-type") or "").partition(";")[0].strip().lower() != _FORM:
        raise Malformed(f"The body must be a form ({_FORM}).", status=415, code="unsupported_media_type")
    body = await _read_bytes(request, FORM_BYTES_MAX)
    return read_query(dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)), kind)


def read_struct(body: bytes, kind: type[Read]) -> tuple[Read, Mapping[str, msgspec.Raw]]:
    """A JSON object as ``kind``, and all its fields as raw JSON. Strings that spell numbers count as such.

    Raises:
        Malformed: not a JSON object, or a field is missing or of a wrong type or value; ``param`` is its path.
    """
    fields = read_fields(body)
    if len(fields) > FIELDS_MAX:
        raise Malformed(f"The body has more than {FIELDS_MAX} fields.")
    return read_body(body, msgspec.json.Decoder(kind, strict=False).decode), fields


def read_query(pairs: Mapping[str, str], kind: type[Read]) -> Read:
    """The query of a URL as ``kind``; an empty value counts as left out, unknown names are ignored as in LiteLLM.

    Raises:
        Malformed: a parameter has a wrong type or value; ``param`` is its name.
    """
    given = {name: value for name, value in pairs.items() if value and name in kind.__struct_fields__}
    return read_body(msgspec.json.encode(given), msgspec.json.Decoder(kind, strict=False).decode)


def _demand_json(media_type: str | None) -> None:
    """Browsers may send texts and forms anywhere without asking; JSON they may not."""
    if media_type is None:
        return
    kind = media_type.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise Malformed(
            f"The body must be JSON, not {kind[:80]}.",
            hint="Send the header: Content-Type: application/json",
            status=415,
            code="unsupported_media_type",
        )


def _digits(text: str | None) -> str:
    return text if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else "0"


def _too_long(bytes_max: int) -> Malformed:
    return Malformed(f"The body is longer than {bytes_max} bytes.", status=413, code="request_too_large", param=None)
