"""Tokens of Google, for Vertex AI.

Sources: https://developers.google.com/identity/protocols/oauth2/service-account (a signed assertion),
https://developers.google.com/identity/protocols/oauth2/web-server#offline (a person's refresh token, as gcloud keeps
it), https://cloud.google.com/compute/docs/access/authenticate-workloads (the metadata service of a machine),
https://cloud.google.com/docs/authentication/application-default-credentials (where they are looked for).
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.errors import Unreachable
from pointsman.core.secret import Secret
from pointsman.providers.tokens.answers import ask_token, read_grant
from pointsman.providers.tokens.book import Grant
from pointsman.providers.tokens.credential import credentials_refused
from pointsman.providers.tokens.google_exchange import SCOPE, exchange, impersonate
from pointsman.providers.tokens.google_keys import GoogleKeys, read_keys
from pointsman.providers.tokens.signing import sign_rs256
from pointsman.providers.transport import Fetcher

__all__ = ["GoogleIdentity"]

_GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_METADATA_HOST: Final = "metadata.google.internal"
_METADATA_SECONDS: Final = 3.0
_FLAVOR: Final = (("Metadata-Flavor", "Google"),)
_ASSERTION_SECONDS: Final = 3600
_FILE_BYTES_MAX: Final = 256 * 1024
_HOW: Final = "Set vertex_credentials to a service account's JSON, or to the path of a file with it."


_encode: Final = msgspec.json.Encoder().encode


class GoogleIdentity(msgspec.Struct, frozen=True):
    """Whoever the credentials say: JSON, or the path of a file with it; None: ``usual_file``, else the machine."""

    credentials: Secret | None = None
    usual_file: str | None = None
    metadata_host: str | None = None

    @property
    def identity(self) -> str:
        """See :class:`~pointsman.providers.tokens.book.TokenSource`."""
        said = b"" if self.credentials is None else self.credentials.reveal().encode("utf-8", "surrogateescape")
        return "\n".join(("google", sha256(said).hexdigest(), self.usual_file or "", self.metadata_host or ""))

    async def fetch(self, fetcher: Fetcher, clock: Clock) -> Grant:
        """See :class:`~pointsman.providers.tokens.book.TokenSource`."""
        text = await asyncio.to_thread(self._read)
        if text is None:
            return await _of_machine(fetcher, self.metadata_host or _METADATA_HOST, clock)
        keys = read_keys(text)
        if keys is None:
            raise credentials_refused("vertex_credentials is not the JSON of Google credentials.", _HOW)
        return await _of_keys(fetcher, keys, clock)

    def _read(self) -> bytes | None:
        """The credentials' JSON, or None where there are none.

        Raises:
            Rejected: the file that was named cannot be read.
        """
        if self.credentials is not None:
            said = self.credentials.reveal().strip()
            if said.startswith("{"):
                return said.encode("utf-8", "surrogateescape")
            try:
                return _file(said)
            except (OSError, ValueError, RuntimeError) as problem:
                message = f"The file that vertex_credentials names cannot be read ({type(problem).__name__})."
                raise credentials_refused(message, _HOW) from None
        if self.usual_file is None:
            return None
        try:
            return _file(self.usual_file)
        except (OSError, RuntimeError):
            return None


async def _of_keys(fetcher: Fetcher, keys: GoogleKeys, clock: Clock) -> Grant:
    match keys.type:
        case "service_account":
            return await _of_service_account(fetcher, keys, clock)
        case "authorized_user":
            return await _of_person(fetcher, keys, clock)
        case "external_account":
            return await exchange(fetcher, keys, clock)
        case "impersonated_service_account" if keys.source_credentials and keys.service_account_impersonation_url:
            own = await _of_keys(fetcher, keys.source_credentials, clock)
            return await impersonate(fetcher, keys, own, clock)
        case _:
            raise credentials_refused(f"Google credentials of the type {keys.type[:60]!r} are not supported.", _HOW)


async def _of_service_account(fetcher: Fetcher, keys: GoogleKeys, clock: Clock) -> Grant:
    if not keys.client_email or not keys.private_key:
        raise credentials_refused("The service account's JSON has no client_email or no private_key.", _HOW)
    url = keys.token_uri or _TOKEN_URI
    issued = int(clock.wall())
    header = {"alg": "RS256", "typ": "JWT", **({"kid": keys.private_key_id} if keys.private_key_id else {})}
    claims = {
        "iss": keys.client_email,
        "scope": SCOPE,
        "aud": url,
        "iat": issued,
        "exp": issued + _ASSERTION_SECONDS,
    }
    assertion = await asyncio.to_thread(sign_rs256, _encode(header), _encode(claims), keys.private_key)
    form = {"grant_type": _GRANT_TYPE, "assertion": assertion}
    hint = "Check that the service account and its key still exist, and this machine's clock."
    return await ask_token(fetcher, url, form, now=clock.wall(), hint=hint, project=keys.project_id)


async def _of_person(fetcher: Fetcher, keys: GoogleKeys, clock: Clock) -> Grant:
    if not keys.refresh_token or not keys.client_id or not keys.client_secret:
        raise credentials_refused("The credentials have no client_id, client_secret or refresh_token.", _HOW)
    form = {
        "grant_type": "refresh_token",
        "client_id": keys.client_id,
        "client_secret": keys.client_secret,
        "refresh_token": keys.refresh_token,
    }
    hint = "Log in anew: gcloud auth application-default login."
    url = keys.token_uri or _TOKEN_URI
    return await ask_token(fetcher, url, form, now=clock.wall(), hint=hint, project=keys.quota_project_id)


async def _of_machine(fetcher: Fetcher, host: str, clock: Clock) -> Grant:
    root = f"http://{host}/computeMetadata/v1"
    url = f"{root}/instance/service-accounts/default/token"
    try:
        reply = await fetcher.fetch("GET", url, headers=_FLAVOR, timeout_seconds=_METADATA_SECONDS)
        project = await fetcher.fetch(
            "GET", f"{root}/project/project-id", headers=_FLAVOR, timeout_seconds=_METADATA_SECONDS
        )
    except Unreachable:
        message = "No credentials for Vertex AI: none are configured, and this machine is not Google's."
        raise credentials_refused(message, _HOW) from None
    hint = "Is a service account attached to this machine, and may it use Vertex AI?"
    name = project.body.decode("ascii", "replace").strip() if project.status == 200 else None
    return read_grant(reply, url, now=clock.wall(), hint=hint, project=name)


def _file(path: str) -> bytes:
    with Path(path).expanduser().open("rb") as file:
        return file.read(_FILE_BYTES_MAX)
