"""What the look for keys asks of the transport, and how it reads what comes back."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import msgspec

from pointsman.core.errors import Unreachable
from pointsman.core.secret import Secret
from pointsman.providers.bedrock.keys import Grant
from pointsman.wire.aws_signature import AwsKeys

__all__ = ["MISSING", "no_keys", "read_grant", "read_time"]

MISSING: Final = "aws_credentials_missing"

_ARN: Final = re.compile(r"\barn:aws[\w-]*:[^\s,;\"']+")


class _Granted(msgspec.Struct):
    """How a container and an instance tell keys."""

    access_key_id: str = msgspec.field(name="AccessKeyId")
    secret_access_key: str = msgspec.field(name="SecretAccessKey")
    token: str | None = msgspec.field(default=None, name="Token")
    expiration: str | None = msgspec.field(default=None, name="Expiration")


_decode: Final = msgspec.json.Decoder(_Granted).decode


def no_keys(why: str) -> Unreachable:
    """The error for keys that are not to be had; ``why`` is a sentence."""
    return Unreachable(
        _ARN.sub("[hidden]", why),
        hint="The operator has to give this deployment AWS credentials: keys, a profile, a role or an API key.",
        code=MISSING,
    )


def read_grant(body: bytes, whose: str) -> Grant:
    """Keys as a container or an instance tells them.

    Raises:
        Unreachable: it tells something else.
    """
    try:
        granted = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise no_keys(f"{whose} answered with something that is not AWS credentials.") from None
    token = Secret(granted.token) if granted.token else None
    keys = AwsKeys(granted.access_key_id, Secret(granted.secret_access_key), token)
    return Grant(keys, None if granted.expiration is None else read_time(granted.expiration, whose))


def read_time(text: str, whose: str) -> float:
    """A moment in seconds since the epoch, as ``2026-01-02T03:04:05Z`` tells it.

    Raises:
        Unreachable: it is none.
    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise no_keys(f"{whose} told no time at which its AWS credentials expire.") from None
