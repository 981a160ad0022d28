"""Passwords of clouds for Redis, as the several places of a configuration ask for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pointsman.assembly.redis_identity import RedisIdentities
from pointsman.assembly.replica_settings import redis_settings
from pointsman.config.load import load
from pointsman.core.access import AwsAccess
from pointsman.core.errors import Misconfigured
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.providers.bedrock import AwsKeyring
from pointsman.providers.bedrock.keys import Grant
from pointsman.providers.tokens import TokenBook
from pointsman.providers.transport import FetchReply
from pointsman.stores.redis.settings import Credentials
from pointsman.wire.aws_signature import AwsKeys
from tests.unit.policies.desk import FakeClock

IAM = "aws_iam_auth: true, aws_iam_user_name: me, aws_iam_cache_name: MyCache"


def reply(said: dict[str, Any]) -> FetchReply:
    return FetchReply(status=200, headers=(), body=json.dumps(said).encode())


class Google:
    """Google's two addresses: the machine's own token, and that of a service account."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def fetch(self, method: str, url: str, **said: Any) -> FetchReply:
        self.asked.append(url)
        if "iamcredentials" in url:
            assert ("Authorization", "Bearer own") in said["headers"]
            return reply({"accessToken": "theirs", "expireTime": "2099-01-01T00:00:00Z"})
        return reply({"access_token": "own", "expires_in": 3600})


async def credentials(
    tmp_path: Path, text: str, environment: Mapping[str, str] | None = None, google: Google | None = None
) -> Credentials | None:
    def fail(_name: str, error: BaseException) -> None:
        raise error

    async def find(access: AwsAccess) -> Grant:
        assert access.region == "eu-west-1"
        return Grant(AwsKeys("AKID", Secret("secret")))

    clock, nursery = FakeClock(), Nursery(fail)
    fetcher: Any = google or Google()
    variables = environment or {}
    keys, tokens = AwsKeyring(find, nursery, clock), TokenBook(fetcher, nursery, clock)
    path = tmp_path / "c.yaml"
    path.write_text(text)
    found = redis_settings(load(path, variables), RedisIdentities(keys, tokens, variables, clock))
    assert found is not None
    return found.credentials


@pytest.mark.parametrize(
    "text",
    [
        f"general_settings: {{coordination_redis: {{host: h, ssl: true, {IAM}, aws_iam_region: eu-west-1}}}}",
        f"litellm_settings: {{cache_params: {{type: redis, url: 'rediss://h', {IAM}}}}}",
    ],
)
async def test_elasticache_is_signed_in_to_by_a_request_that_was_signed_in_advance(tmp_path: Path, text: str) -> None:
    made = await credentials(tmp_path, text, {"AWS_REGION": "eu-west-1"})
    assert made is not None
    user, password = await made()
    said = password.reveal()
    assert user == "me"
    assert said.startswith("mycache/?Action=connect&User=me&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F")
    assert "%2Feu-west-1%2Felasticache%2Faws4_request" in said and "&X-Amz-Expires=900&" in said


async def test_a_serverless_cache_is_named_so(tmp_path: Path) -> None:
    said = f"host: h, ssl: true, {IAM}, aws_iam_region: eu-west-1, aws_iam_serverless: true"
    made = await credentials(tmp_path, f"general_settings: {{coordination_redis: {{{said}}}}}")
    assert made is not None
    assert "&User=me&ResourceType=ServerlessCache&" in (await made())[1].reveal()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"host: h, {IAM}, aws_iam_region: eu-west-1", "needs TLS"),
        (f"host: h, ssl: true, {IAM}", "aws_iam_region"),
        ("host: h, ssl: true, aws_iam_auth: true, aws_iam_region: eu-west-1", "aws_iam_user_name"),
    ],
)
async def test_what_is_missing_is_told_at_the_start(tmp_path: Path, said: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        await credentials(tmp_path, f"general_settings: {{coordination_redis: {{{said}}}}}")


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("litellm_settings: {cache_params: {type: redis, host: h, gcp_service_account: a@p.iam}}", {}),
        ("{}", {"REDIS_HOST": "h", "REDIS_GCP_SERVICE_ACCOUNT": "a@p.iam"}),
    ],
)
async def test_memorystore_gets_the_token_of_a_service_account(
    tmp_path: Path, text: str, environment: dict[str, str]
) -> None:
    google = Google()
    made = await credentials(tmp_path, text, environment, google)
    assert made is not None
    for _ in range(2):
        user, password = await made()
        assert (user, password.reveal()) == (None, "theirs")
    theirs = [url for url in google.asked if url.endswith("/serviceAccounts/a@p.iam:generateAccessToken")]
    assert len(theirs) == 1, "it is kept while it is good"


async def test_without_any_the_password_is_the_one_that_is_said(tmp_path: Path) -> None:
    assert await credentials(tmp_path, "router_settings: {redis_host: h, redis_password: p}") is None
