"""The headers by which Bedrock knows who asks, for one deployment."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.access import AwsAccess
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import GatewayError
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Outbound
from pointsman.dialects.bedrock_converse.errors import is_about_expired_keys, read_error
from pointsman.providers.bedrock.fetching import no_keys
from pointsman.providers.bedrock.keys import KeySource
from pointsman.providers.bedrock.place import region_of
from pointsman.providers.transport import Origin
from pointsman.wire.aws_signature import SigningScope, UnsignedRequest, signature_headers

__all__ = ["BedrockSigner"]

_SERVICE: Final = "bedrock"
_OF_SIGNATURES: Final = frozenset({"authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"})
_JSON: Final = "application/json"


class BedrockSigner:
    """Signs what is sent to a deployment with the keys that ``source`` has.

    ``source`` None: the deployment has an API key, which the transport sends.
    """

    def __init__(self, deployment: Deployment, source: KeySource | None, clock: Clock = SYSTEM_CLOCK) -> None:
        access = deployment.access if isinstance(deployment.access, AwsAccess) else AwsAccess()
        self._source = source
        self._clock = clock
        self._origin = Origin.parse(deployment.api_base)
        self._scope = SigningScope(region_of(deployment.model, access), _SERVICE)
        own = {name.lower(): value.reveal() for name, value in deployment.headers.items()}
        self._signed = (
            ("Host", own.get("host", self._origin.authority)),
            ("Content-Type", own.get("content-type", _JSON)),
        )

    async def prepare(self) -> None:
        """Have keys at hand.

        Raises:
            Unreachable: there are none.
        """
        if self._source is not None and self._source.recall() is None:
            await self._source.learn()

    def headers(self, path: bytes, body: bytes) -> tuple[tuple[str, Secret], ...]:
        """The headers of a request with JSON to ``path`` below the deployment's address.

        Raises:
            Unreachable: there are no keys any more.
        """
        if self._source is None:
            return ()
        keys = self._source.recall()
        if keys is None:
            raise no_keys("The AWS credentials of this deployment have just expired.")
        target = self._origin.path + path.decode("ascii")
        request = UnsignedRequest("POST", target, self._signed, self._origin.query, body)
        return signature_headers(request, keys, self._scope, self._clock.wall())

    async def signed(self, outbound: Outbound) -> Outbound:
        """See :class:`pointsman.providers.pass_through.PassageSigner`: any request, signed anew.

        Raises:
            Unreachable: there are no keys.
        """
        if self._source is None:
            return outbound
        await self.prepare()
        keys = self._source.recall()
        if keys is None:
            raise no_keys("The AWS credentials of this deployment have just expired.")
        path, _, query = outbound.path.decode("ascii").partition("?")
        signed = (self._signed[0], ("Content-Type", outbound.content_type.decode("latin-1")))
        request = UnsignedRequest(
            outbound.method.decode("ascii"),
            self._origin.path + path,
            signed,
            query or self._origin.query,
            outbound.body,
        )
        kept = tuple((name, value) for name, value in outbound.headers if name.lower() not in _OF_SIGNATURES)
        headers = (*kept, *signature_headers(request, keys, self._scope, self._clock.wall()))
        return msgspec.structs.replace(outbound, headers=headers)

    def answered(self, status: int, body: bytes) -> None:
        """See the same; keys that are said to have expired are used no more."""
        self.read_error(status, body)

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """What an error answer means; keys that are said to have expired are used no more."""
        if self._source is not None and is_about_expired_keys(status, body):
            self._source.forget()
        return read_error(status, body)
