"""Roles, taken at AWS's Security Token Service.

Sources: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and …_AssumeRoleWithWebIdentity.html.
"""

from __future__ import annotations

import html
import re
from typing import Final
from urllib.parse import urlencode

import msgspec

from pointsman.core.clock import Clock, short_id
from pointsman.core.errors import GatewayError
from pointsman.core.secret import Secret
from pointsman.providers.bedrock.fetching import no_keys, read_time
from pointsman.providers.bedrock.keys import Grant
from pointsman.providers.transport import Fetcher, Origin
from pointsman.wire.aws_signature import AwsKeys, SigningScope, UnsignedRequest, signature_headers
from pointsman.wire.upstream_errors import fit_to_repeat

__all__ = ["RoleWish", "TokenService"]

_FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"
_VERSION: Final = "2011-06-15"
_SECONDS: Final = 10.0
_WHOSE: Final = "AWS's token service"


class RoleWish(msgspec.Struct, frozen=True):
    """The role to take (an ARN), and what goes with it; the session name is made up where nobody gives one.

    ``tags`` are the session's, names and values; who shows the token of an identity provider has them in there.
    """

    role: str
    session_name: str | None = None
    external_id: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


class TokenService:
    """Takes roles at one address in one region."""

    def __init__(self, fetcher: Fetcher, clock: Clock, endpoint: str, region: str) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._endpoint = endpoint.rstrip("/")
        self._region = region

    async def assume_role(self, wish: RoleWish, keys: AwsKeys) -> Grant:
        """Take a role with the keys of somebody who may.

        Raises:
            Unreachable: AWS does not let them, or does not answer.
        """
        fields = {"Action": "AssumeRole", **_fields(wish)}
        if wish.external_id is not None:
            fields["ExternalId"] = wish.external_id
        for number, (key, value) in enumerate(wish.tags, 1):
            fields |= {f"Tags.member.{number}.Key": key, f"Tags.member.{number}.Value": value}
        return await self._ask(fields, keys)

    async def assume_role_with_web_identity(self, wish: RoleWish, token: str) -> Grant:
        """Take a role with the token of an identity provider.

        Raises:
            Unreachable: AWS does not let it, or does not answer.
        """
        fields = {"Action": "AssumeRoleWithWebIdentity", **_fields(wish), "WebIdentityToken": token}
        return await self._ask(fields, None)

    async def _ask(self, fields: dict[str, str], keys: AwsKeys | None) -> Grant:
        body = urlencode({**fields, "Version": _VERSION}).encode()
        origin = Origin.parse(self._endpoint)
        headers: tuple[tuple[str, str], ...] = ()
        if keys is not None:
            signed = (("Host", origin.authority), ("Content-Type", _FORM))
            request = UnsignedRequest("POST", origin.path or "/", signed, origin.query, body)
            scope = SigningScope(self._region, "sts")
            added = signature_headers(request, keys, scope, self._clock.wall())
            headers = tuple((name, value.reveal()) for name, value in added)
        try:
            reply = await self._fetcher.fetch(
                "POST", self._endpoint, body=body, headers=headers, timeout_seconds=_SECONDS, content_type=_FORM
            )
        except GatewayError as error:
            raise no_keys(f"{_WHOSE} could not be asked for a role: {error.message}") from None
        text = reply.body.decode("utf-8", "replace")
        if reply.status != 200:
            why = fit_to_repeat(_said(text, "Message") or _said(text, "message") or f"status {reply.status}")
            raise no_keys(f"{_WHOSE} did not grant the role: {why}")
        return _grant(text)


def _fields(wish: RoleWish) -> dict[str, str]:
    return {"RoleArn": wish.role, "RoleSessionName": wish.session_name or short_id("pointsman-")}


def _grant(text: str) -> Grant:
    values = [_said(text, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")]
    access_key_id, secret, token, expires = values
    if not access_key_id or not secret or not token or not expires:
        raise no_keys(f"{_WHOSE} answered with something that is not AWS credentials.")
    # As JSON the time is a number, as XML a date.
    at = float(expires) if expires[:1].isdigit() and "T" not in expires else read_time(expires, _WHOSE)
    return Grant(AwsKeys(access_key_id, Secret(secret), Secret(token)), at)


def _said(text: str, name: str) -> str:
    """A field of the answer, which comes as XML or, since we would rather have that, as JSON.

    Their names are all different, and none of their values has a quote or a bracket in it.
    """
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    if found is not None:
        return html.unescape(found[1]).strip()
    found = re.search(rf'"{name}"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|([0-9][0-9.Ee+]*))', text)
    if found is None:
        return ""
    return found[2] or found[1].replace("\\/", "/")
