"""Reads what token services answer (RFC 6749, sections 5.1 and 5.2), Microsoft's and Google's alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec

from pointsman.core.errors import UpstreamFailed
from pointsman.core.secret import Secret
from pointsman.providers.tokens.book import Grant
from pointsman.providers.tokens.credential import credentials_refused
from pointsman.providers.transport import Fetcher, FetchReply, Origin
from pointsman.wire.upstream_errors import fit_to_repeat, upstream_failure

__all__ = ["TIMEOUT_SECONDS", "ask_token", "read_grant"]

TIMEOUT_SECONDS: Final = 10.0
_FORM: Final = "application/x-www-form-urlencoded"
_LIFE_SECONDS: Final = 3600.0
"""Where the service does not say how long its token lives."""
_LIFE_SECONDS_MAX: Final = 7 * 86_400.0


class _Shape(msgspec.Struct):
    """``expires_in`` is a number, or the text of one (Azure's instance metadata). ``error`` is a word, or an object.

    ``error_message`` is how IBM's IAM tells what is wrong.
    """

    access_token: str | None = None
    expires_in: float | str | None = None
    expires_on: float | str | None = None
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error_description: str | None = None
    error_message: str | None = msgspec.field(name="errorMessage", default=None)


_decode: Final = msgspec.json.Decoder(_Shape).decode


async def ask_token(
    fetcher: Fetcher, url: str, form: Mapping[str, str], *, now: float, hint: str, project: str | None = None
) -> Grant:
    """Post ``form`` to a token service.

    Args:
        fetcher: Who asks.
        url: The service's address.
        form: The fields.
        now: The time, in seconds since the epoch.
        hint: What the operator is to check when the service says no.
        project: Goes with the token.

    Raises:
        UpstreamFailed: no token is to be had.
    """
    reply = await fetcher.fetch(
        "POST", url, body=urlencode(form).encode("ascii"), timeout_seconds=TIMEOUT_SECONDS, content_type=_FORM
    )
    return read_grant(reply, url, now=now, hint=hint, project=project)


def read_grant(reply: FetchReply, url: str, *, now: float, hint: str, project: str | None = None) -> Grant:
    """The token of an answer; see :func:`ask_token`.

    Raises:
        UpstreamFailed: there is none in it.
    """
    try:
        shape = _decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        shape = _Shape()
    if reply.status == 200 and shape.access_token:
        return Grant(Secret(shape.access_token), _life(shape, now), project)
    raise _refusal(reply, shape, Origin.parse(url).host, hint)


def _refusal(reply: FetchReply, shape: _Shape, host: str, hint: str) -> UpstreamFailed:
    words = shape.error_description or shape.error_message or reply.body.decode("utf-8", "replace")
    message = f"The token service {host} gave no token (status {reply.status}): {fit_to_repeat(words)}"
    if reply.status == 429 or reply.status >= 500:
        error = upstream_failure(reply.status, message)
        error.sent = False
        return error
    return credentials_refused(message, hint)


def _life(shape: _Shape, now: float) -> float:
    """The seconds a token lives; a service may say that, or when its life ends."""
    seconds = _number(shape.expires_in)
    if seconds is None:
        end = _number(shape.expires_on)
        seconds = _LIFE_SECONDS if end is None else end - now
    return min(max(seconds, 1.0), _LIFE_SECONDS_MAX)


def _number(said: float | str | None) -> float | None:
    if said is None or isinstance(said, (int, float)):
        return said
    try:
        return float(said)
    except ValueError:
        return None
