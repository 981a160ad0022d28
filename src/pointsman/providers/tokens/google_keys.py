"""What Google's files of credentials hold: https://google.aip.dev/auth/4110 and the pages that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["GoogleKeys", "TokenFormat", "TokenPlace", "read_keys"]


class TokenFormat(msgspec.Struct, frozen=True):
    """Whether a token stands alone (``text``), or in a field of an object (``json``)."""

    type: str = "text"
    subject_token_field_name: str = ""


class TokenPlace(msgspec.Struct, frozen=True):
    """Where somebody else's token is: in a file, or at an address. ``environment_id`` and others are not known here."""

    file: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = {}
    format: TokenFormat = TokenFormat()


class GoogleKeys(msgspec.Struct, frozen=True):
    """A file of credentials; which fields it has depends on its ``type``."""

    type: str = ""
    project_id: str | None = None
    quota_project_id: str | None = None
    private_key_id: str | None = None
    private_key: str | None = None
    client_email: str | None = None
    token_uri: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    refresh_token: str | None = None
    audience: str | None = None
    subject_token_type: str | None = None
    token_url: str | None = None
    credential_source: TokenPlace | None = None
    service_account_impersonation_url: str | None = None
    source_credentials: GoogleKeys | None = None
    delegates: tuple[str, ...] = ()


_decode: Final = msgspec.json.Decoder(GoogleKeys).decode


def read_keys(text: bytes) -> GoogleKeys | None:
    """The credentials, or None where it is not the JSON of any."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
