"""Passwords for Redis that a cloud gives and that do not last: got anew for each connection.

Sources: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html (the password is a request to connect,
signed in advance, without its scheme), https://cloud.google.com/memorystore/docs/cluster/about-iam-auth (it is an
access token). The settings are those of LiteLLM 1.109.1, ``_redis.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from pointsman.assembly.access import gcloud_file
from pointsman.config.redis_sections import CacheParams, CoordinationRedis
from pointsman.core.access import AwsAccess
from pointsman.core.clock import Clock
from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret
from pointsman.providers.bedrock import AwsKeyring
from pointsman.providers.tokens import Grant, TokenBook
from pointsman.providers.tokens.google import GoogleIdentity
from pointsman.providers.tokens.google_exchange import impersonate
from pointsman.providers.tokens.google_keys import GoogleKeys
from pointsman.providers.transport import Fetcher
from pointsman.stores.redis.settings import Credentials
from pointsman.wire.aws_signature import SigningScope, UnsignedRequest, presigned_query

__all__ = ["RedisIdentities"]

_SERVICE: Final = "elasticache"
_PASSWORD_SECONDS: Final = 900
"""AWS lets no such password live longer."""
_IAM_CREDENTIALS: Final = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"


class RedisIdentities:
    """See :class:`pointsman.assembly.replica_settings.Identities`; ``environment`` is where keys are looked for."""

    def __init__(self, keys: AwsKeyring, tokens: TokenBook, environment: Mapping[str, str], clock: Clock) -> None:
        self._keys = keys
        self._tokens = tokens
        self._environment = environment
        self._clock = clock

    def aws(self, said: CoordinationRedis | CacheParams) -> Credentials:
        """See the protocol."""
        environment = self._environment
        region = said.aws_iam_region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
        user, cache = said.aws_iam_user_name, said.aws_iam_cache_name
        if not user or not cache or not region:
            raise Misconfigured(
                "aws_iam_auth needs aws_iam_user_name, aws_iam_cache_name and aws_iam_region.",
                hint="Set them beside it; AWS_REGION stands in for the last.",
            )
        is_url = said.url is not None and said.url.reveal().startswith(("rediss://", "valkeys://"))
        if not (said.ssl or is_url):
            raise Misconfigured(
                "aws_iam_auth needs TLS, as ElastiCache does.", hint="Set ssl: true, or write rediss://."
            )
        source, host, scope = self._keys.source(AwsAccess(region=region)), cache.lower(), SigningScope(region, _SERVICE)
        query = f"Action=connect&User={quote(user, safe='')}"
        if said.aws_iam_serverless:
            query += "&ResourceType=ServerlessCache"
        request = UnsignedRequest("GET", "/", (("Host", host),), query)

        async def credentials() -> tuple[str, Secret]:
            keys = source.recall() or await source.learn()
            signed = presigned_query(request, keys, scope, self._clock.wall(), _PASSWORD_SECONDS)
            return user, Secret(f"{host}/?{signed.reveal()}")

        return credentials

    def google(self, service_account: str) -> Credentials:
        """See the protocol."""
        environment = self._environment
        given = environment.get("GOOGLE_APPLICATION_CREDENTIALS")
        own = GoogleIdentity(
            Secret(given) if given else None, gcloud_file(environment), environment.get("GCE_METADATA_HOST")
        )
        source = _ServiceAccount(own, service_account)

        async def credentials() -> tuple[None, Secret]:
            grant = self._tokens.recall(source) or await self._tokens.learn(source)
            return None, grant.token

        return credentials


class _ServiceAccount(msgspec.Struct, frozen=True):
    """Tokens of a service account that ``own`` may act as; see :class:`pointsman.providers.tokens.book.TokenSource`."""

    own: GoogleIdentity
    account: str

    @property
    def identity(self) -> str:
        """See the protocol."""
        return f"{self.own.identity}\nredis\n{self.account}"

    async def fetch(self, fetcher: Fetcher, clock: Clock) -> Grant:
        """See the protocol."""
        url = f"{_IAM_CREDENTIALS}/{quote(self.account, safe='@')}:generateAccessToken"
        keys = GoogleKeys(service_account_impersonation_url=url)
        return await impersonate(fetcher, keys, await self.own.fetch(fetcher, clock), clock)
