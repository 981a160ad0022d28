from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.core.access import AwsAccess
from pointsman.core.upstream import Deployment
from pointsman.providers.bedrock.place import model_path, named_model, names_place, region_of, runtime_base

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2"


def deployment(model: str, **fields: Any) -> Deployment:
    return Deployment("id", "group", "bedrock", model, f"bedrock/{model}", "https://host", None, **fields)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (CLAUDE, CLAUDE),
        (f"converse/{CLAUDE}", CLAUDE),
        (f"invoke/{CLAUDE}", CLAUDE),
        (f"us-gov-west-1/{CLAUDE}", CLAUDE),
        (f"converse/ap-southeast-2/{CLAUDE}", CLAUDE),
        (f"ap-southeast-2/converse/{CLAUDE}", CLAUDE),
        (f"converse/{PROFILE}", PROFILE),
        (PROFILE, PROFILE),
        (f"llama/{PROFILE}", PROFILE),
    ],
)
def test_the_id_is_what_is_left_of_a_name(model: str, named: str) -> None:
    assert named_model(model) == named


@pytest.mark.parametrize(
    ("model", "configured", "region"),
    [
        (CLAUDE, "eu-central-1", "eu-central-1"),
        (CLAUDE, None, "us-west-2"),
        (f"converse/ap-south-1/{CLAUDE}", "eu-central-1", "ap-south-1"),
        (f"ap-south-1/converse/{CLAUDE}", "eu-central-1", "ap-south-1"),
        (PROFILE, "eu-central-1", "eu-west-1"),
        (f"converse/{PROFILE}", None, "eu-west-1"),
        ("arn:aws-us-gov:bedrock:us-gov-east-1::foundation-model/x", None, "us-gov-east-1"),
    ],
)
def test_the_region_is_the_models_own_or_the_configured_one(model: str, configured: str | None, region: str) -> None:
    assert region_of(model, AwsAccess(region=configured)) == region


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (CLAUDE, False),
        (f"converse/{CLAUDE}", False),
        (f"eu-west-1/{CLAUDE}", True),
        (f"converse/eu-west-1/{CLAUDE}", True),
        (PROFILE, True),
        (f"llama/{PROFILE}", True),
    ],
)
def test_a_name_may_say_where_its_model_is(model: str, expected: bool) -> None:
    assert names_place(model) is expected


@pytest.mark.parametrize(
    ("region", "base"),
    [
        ("eu-central-1", "https://bedrock-runtime.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "https://bedrock-runtime.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "https://bedrock-runtime.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_the_address_follows_from_the_region(region: str, base: str) -> None:
    assert runtime_base(CLAUDE, AwsAccess(region=region)) == base
    assert runtime_base(CLAUDE, AwsAccess(region=region, runtime_endpoint="https://vpce.x")) == "https://vpce.x"


def test_the_path_has_the_id_in_one_piece() -> None:
    assert model_path(deployment(f"converse/{CLAUDE}"), stream=False) == (
        b"/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    )
    assert model_path(deployment(PROFILE), stream=True) == (
        b"/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aapplication-inference-profile%2Fa1b2/converse-stream"
    )


@pytest.mark.parametrize(("raw", "path"), [(b'"a/b"', b"/model/a%2Fb/converse"), (b"7", b"/model/x/converse")])
def test_the_operators_model_id_wins(raw: bytes, path: bytes) -> None:
    assert model_path(deployment("x", pinned={"model_id": msgspec.Raw(raw)}), stream=False) == path
