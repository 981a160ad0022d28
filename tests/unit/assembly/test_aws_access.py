"""What an entry for Amazon Bedrock comes to: its address, its keys, and what a wildcard may not be made to mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pointsman.assembly.deployments import Configured, configured
from pointsman.catalog.lookup import Catalog
from pointsman.config.sections import LiteLLMParams, ModelEntry, Settings
from pointsman.core.access import AwsAccess
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def made(environment: dict[str, str] | None = None, *, name: str = "own", **params: Any) -> Configured:
    given = {"model": f"bedrock/{CLAUDE}", **params}
    entry = ModelEntry(model_name=name, litellm_params=LiteLLMParams(**given))
    return configured(Settings(model_list=(entry,)), {"HOME": "/nowhere", **(environment or {})}, Catalog())


def only(environment: dict[str, str] | None = None, **params: Any) -> Deployment:
    return made(environment, **params).deployments[0]


def access(environment: dict[str, str] | None = None, **params: Any) -> AwsAccess:
    found = only(environment, **params).access
    assert isinstance(found, AwsAccess)
    return found


@pytest.mark.parametrize(
    ("environment", "params", "base"),
    [
        ({}, {}, "https://bedrock-runtime.us-west-2.amazonaws.com"),
        ({"AWS_REGION": "eu-west-1"}, {}, "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        (
            {"AWS_REGION": "eu-west-1"},
            {"aws_region_name": "eu-west-3"},
            "https://bedrock-runtime.eu-west-3.amazonaws.com",
        ),
        ({}, {"model": f"bedrock/ap-south-1/{CLAUDE}"}, "https://bedrock-runtime.ap-south-1.amazonaws.com"),
        ({}, {"aws_bedrock_runtime_endpoint": "https://vpce.example/"}, "https://vpce.example"),
        (
            {},
            {"api_base": "https://proxy.example/aws", "aws_bedrock_runtime_endpoint": "https://vpce.example"},
            "https://proxy.example/aws",
        ),
    ],
)
def test_the_address_follows_from_the_region_unless_one_is_given(
    environment: dict[str, str], params: dict[str, Any], base: str
) -> None:
    assert only(environment, **params).api_base == base


def test_both_prefixes_are_one_provider_and_its_models_are_known() -> None:
    for prefix in ("bedrock", "bedrock_converse", "bedrock/converse"):
        deployment = only(model=f"{prefix}/{CLAUDE}")
        assert (deployment.provider, deployment.price is not None, "tools" in deployment.capabilities) == (
            "bedrock",
            True,
            True,
        )


def test_the_region_may_be_that_of_the_profile(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = us-east-2\n[profile eu]\nregion = eu-north-1\n", "utf-8")
    environment = {"AWS_CONFIG_FILE": str(config)}
    assert access(environment).region == "us-east-2"
    assert access(environment, aws_profile_name="eu").region == "eu-north-1"
    assert access({**environment, "AWS_REGION": "eu-west-1"}).region == "eu-west-1"


def test_halves_of_different_credentials_are_not_put_together() -> None:
    environment = {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e", "AWS_SESSION_TOKEN": "t", "AWS_PROFILE": "p"}
    from_environment = access(environment)
    assert from_environment.session_token is not None and from_environment.profile == "p"
    own = access(environment, aws_access_key_id=Secret("A"), aws_secret_access_key=Secret("a"))
    assert own.access_key_id is not None and own.access_key_id.reveal() == "A"
    assert (own.session_token, own.profile) == (None, None)
    named = access(environment, aws_profile_name="mine")
    assert (named.access_key_id, named.secret_access_key, named.profile) == (None, None, "mine")


def test_an_api_key_of_the_environment() -> None:
    deployment = only({"AWS_BEARER_TOKEN_BEDROCK": "k"})
    assert deployment.api_key is not None and deployment.key_header == "Authorization"


def test_a_wildcard_serves_models_where_the_operator_says() -> None:
    expand = made({"AWS_REGION": "eu-west-1"}, name="bedrock/*", model="bedrock/*").patterns[0].expand
    deployment = expand(f"bedrock/{CLAUDE}", (CLAUDE,))
    assert deployment is not None and deployment.api_base == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    for elsewhere in (f"us-east-1/{CLAUDE}", "arn:aws:bedrock:us-east-1:1:inference-profile/x"):
        assert expand(f"bedrock/{elsewhere}", (elsewhere,)) is None
    placed = made(name="eu/*", model="bedrock/eu-north-1/*").patterns[0].expand(f"eu/{CLAUDE}", (CLAUDE,))
    assert placed is not None and placed.api_base == "https://bedrock-runtime.eu-north-1.amazonaws.com"
