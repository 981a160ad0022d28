"""Tokens of IBM Cloud's IAM, for watsonx.ai.

Source: https://cloud.ibm.com/apidocs/iam-identity-token-api#gettoken-apikey (an API key is exchanged for a token that
lives an hour).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.secret import Secret
from pointsman.providers.tokens.answers import TIMEOUT_SECONDS, read_grant
from pointsman.providers.tokens.book import Grant
from pointsman.providers.transport import Fetcher

__all__ = ["IAM_URL", "IamKey"]

IAM_URL: Final = "https://iam.cloud.ibm.com/identity/token"

_GRANT_TYPE: Final = "urn:ibm:params:oauth:grant-type:apikey"
_FORM: Final = "application/x-www-form-urlencoded"
_ACCEPT: Final = (("Accept", "application/json"),)
_HINT: Final = "Check the API key of this deployment, and WATSONX_IAM_URL if the token service is not IBM Cloud's."


class IamKey(msgspec.Struct, frozen=True):
    """An API key, and the address of the service that exchanges it."""

    api_key: Secret
    url: str = IAM_URL

    @property
    def identity(self) -> str:
        """See :class:`~pointsman.providers.tokens.book.TokenSource`."""
        digest = sha256(self.api_key.reveal().encode("utf-8", "surrogateescape")).hexdigest()
        return f"{self.url}\n{digest}"

    async def fetch(self, fetcher: Fetcher, clock: Clock) -> Grant:
        """See :class:`~pointsman.providers.tokens.book.TokenSource`."""
        form = urlencode({"grant_type": _GRANT_TYPE, "apikey": self.api_key.reveal()}, errors="surrogateescape")
        reply = await fetcher.fetch(
            "POST",
            self.url,
            body=form.encode("ascii"),
            headers=_ACCEPT,
            timeout_seconds=TIMEOUT_SECONDS,
            content_type=_FORM,
        )
        return read_grant(reply, self.url, now=clock.wall(), hint=_HINT)
