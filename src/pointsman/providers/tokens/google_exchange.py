"""Tokens of Google that are got with other tokens: those of another identity provider, or of another account.

Sources: https://google.aip.dev/auth/4117 (workload identity federation),
https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token,
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.secret import Secret
from pointsman.providers.tokens.answers import TIMEOUT_SECONDS, ask_token, read_grant
from pointsman.providers.tokens.book import Grant
from pointsman.providers.tokens.credential import credentials_refused
from pointsman.providers.tokens.google_keys import GoogleKeys, TokenFormat
from pointsman.providers.transport import Fetcher

__all__ = ["SCOPE", "exchange", "impersonate"]

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"

_STS: Final = "https://sts.googleapis.com/v1/token"
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
_TOKEN_BYTES_MAX: Final = 64 * 1024
_HINT: Final = "Check the workload identity pool: its provider, audience and attribute conditions."


class _Impersonated(msgspec.Struct, rename="camel"):
    access_token: str
    expire_time: datetime


_decode_impersonated: Final = msgspec.json.Decoder(_Impersonated).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_encode: Final = msgspec.json.Encoder().encode


async def exchange(fetcher: Fetcher, keys: GoogleKeys, clock: Clock) -> Grant:
    """A token for that of another identity provider (``external_account``).

    Raises:
        UpstreamFailed: none is to be had.
    """
    if not keys.audience or not keys.subject_token_type:
        raise credentials_refused("The credentials have no audience or no subject_token_type.", _HINT)
    form = {
        "grant_type": _EXCHANGE,
        "audience": keys.audience,
        "scope": SCOPE,
        "requested_token_type": _ACCESS_TOKEN,
        "subject_token_type": keys.subject_token_type,
        "subject_token": await _subject_token(fetcher, keys),
    }
    grant = await ask_token(fetcher, keys.token_url or _STS, form, now=clock.wall(), hint=_HINT)
    return await impersonate(fetcher, keys, grant, clock) if keys.service_account_impersonation_url else grant


async def impersonate(fetcher: Fetcher, keys: GoogleKeys, own: Grant, clock: Clock) -> Grant:
    """The token of the service account that ``own`` may act as.

    Raises:
        UpstreamFailed: it may not.
    """
    url = keys.service_account_impersonation_url or ""
    reply = await fetcher.fetch(
        "POST",
        url,
        body=_encode({"scope": [SCOPE], "delegates": keys.delegates}),
        headers=(("Authorization", f"Bearer {own.token.reveal()}"),),
        timeout_seconds=TIMEOUT_SECONDS,
    )
    hint = "May this identity create tokens for the service account (roles/iam.serviceAccountTokenCreator)?"
    try:
        given = _decode_impersonated(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return read_grant(reply, url, now=clock.wall(), hint=hint)
    seconds = max(given.expire_time.timestamp() - clock.wall(), 1.0)
    return Grant(Secret(given.access_token), seconds, keys.quota_project_id or own.project)


async def _subject_token(fetcher: Fetcher, keys: GoogleKeys) -> str:
    place = keys.credential_source
    if place is not None and place.file is not None:
        return _token_in(await asyncio.to_thread(_read, place.file), place.format)
    if place is not None and place.url is not None:
        reply = await fetcher.fetch(
            "GET", place.url, headers=tuple(place.headers.items()), timeout_seconds=TIMEOUT_SECONDS
        )
        if reply.status != 200:
            raise credentials_refused(
                f"The address of the subject token answered with status {reply.status}.", "Check credential_source.url."
            )
        return _token_in(reply.body, place.format)
    raise credentials_refused(
        "The credential_source of the credentials has neither a file nor a url.",
        "Executables and AWS as sources are not supported.",
    )


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(_TOKEN_BYTES_MAX)
    except (OSError, ValueError) as problem:
        raise credentials_refused(
            f"The subject token cannot be read ({type(problem).__name__}).", "Check credential_source.file."
        ) from None


def _token_in(data: bytes, form: TokenFormat) -> str:
    try:
        if form.type == "json":
            return _decode_text(_decode_fields(data)[form.subject_token_field_name])
        return data.decode("ascii").strip()
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
        raise credentials_refused(
            "The subject token is not where credential_source.format says.", "Check credential_source.format."
        ) from None
