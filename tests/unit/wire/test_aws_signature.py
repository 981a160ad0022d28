"""The vectors are those of AWS's own signing test suite (awslabs/aws-c-auth, tests/aws-signing-test-suite/v4)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pointsman.core.secret import Secret
from pointsman.wire.aws_signature import AwsKeys, SigningScope, UnsignedRequest, presigned_query, signature_headers

KEYS = AwsKeys("AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
SCOPE = SigningScope("us-east-1", "service")
AT = 1440938160.0  # 2015-08-30T12:36:00Z
HOST = ("Host", "example.amazonaws.com")
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FORM_SUM = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"

VECTORS: list[tuple[str, dict[str, Any], str, str]] = [
    ("get-vanilla", {}, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    (
        "get-vanilla-query-order-key-case",
        {"query": "Param2=value2&Param1=value1"},
        "host;x-amz-date",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    (
        "get-vanilla-query-unreserved",
        {"query": f"{UNRESERVED}={UNRESERVED}"},
        "host;x-amz-date",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    ),
    (
        "get-vanilla-utf8-query",
        {"query": "ሴ=bar"},
        "host;x-amz-date",
        "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    ),
    (
        "get-utf8",
        {"path": "/ሴ"},
        "host;x-amz-date",
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    (
        "get-space-normalized",
        {"path": "/example space/"},
        "host;x-amz-date",
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ),
    (
        "get-slash-pointless-dot-normalized",
        {"path": "/./example"},
        "host;x-amz-date",
        "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
    ),
    (
        "get-relative-normalized",
        {"path": "/example/.."},
        "host;x-amz-date",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "get-header-value-trim",
        {"headers": (HOST, ("My-Header1", " value1"), ("My-Header2", ' "a   b   c"'))},
        "host;my-header1;my-header2;x-amz-date",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    (
        "get-header-key-duplicate",
        {"headers": (HOST, ("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1"))},
        "host;my-header1;x-amz-date",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    (
        "post-vanilla",
        {"method": "POST"},
        "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    (
        "post-x-www-form-urlencoded",
        {
            "method": "POST",
            "headers": (
                ("Content-Type", "application/x-www-form-urlencoded"),
                HOST,
                ("Content-Length", "13"),
                ("x-amz-content-sha256", FORM_SUM),
            ),
            "body": b"Param1=value1",
        },
        "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
        "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    ),
]


def signed(keys: AwsKeys = KEYS, **fields: Any) -> dict[str, str]:
    request = UnsignedRequest(**{"method": "GET", "path": "/", "headers": (HOST,), **fields})
    return {name: value.reveal() for name, value in signature_headers(request, keys, SCOPE, AT)}


@pytest.mark.parametrize(
    ("fields", "names", "signature"), [one[1:] for one in VECTORS], ids=[one[0] for one in VECTORS]
)
def test_the_vectors_of_aws(fields: dict[str, Any], names: str, signature: str) -> None:
    credential = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    assert signed(**fields) == {
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}",
    }


def test_a_session_token_is_sent_and_signed() -> None:
    token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
    headers = signed(AwsKeys(KEYS.access_key_id, KEYS.secret_access_key, Secret(token)))
    assert headers["X-Amz-Security-Token"] == token
    assert headers["Authorization"].endswith(
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    )


def test_a_path_that_is_encoded_already_is_encoded_once_more() -> None:
    """Made with botocore 1.44: the path of a Bedrock model whose id has a colon and slashes."""
    path = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x%3A0/converse"
    plain = signed(path=path)["Authorization"]
    assert plain != signed(path=path.replace("%3A", ":"))["Authorization"]
    assert plain.endswith("Signature=5c650c721c67785a080a346d9110b5eac7bf271bc0aadc43b100f7a280133d87")


def test_no_part_of_a_key_shows_when_the_headers_are_printed() -> None:
    headers = signature_headers(UnsignedRequest("GET", "/", (HOST,)), KEYS, SCOPE, AT)
    assert "AKID" not in repr(headers) and "wJal" not in repr(KEYS)


@pytest.mark.parametrize(
    ("session", "signature"),
    [
        (None, "05ca02e6451d2636e0c6196eb2e6cf08d21fbdb0ad55be5408f0bdd31ae9d5a4"),
        ("tok/+=", "3ebce211fc9a6469bc56ce4b5f5d6e64bc86808b4a1ddff7091f619fc59f84bb"),
    ],
)
def test_a_query_is_signed_in_advance_as_botocore_does(session: str | None, signature: str) -> None:
    keys = AwsKeys("AKIDEXAMPLE", KEYS.secret_access_key, None if session is None else Secret(session))
    request = UnsignedRequest("GET", "/", (("Host", "mycache"),), "Action=connect&User=my%20user")
    at = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
    signed = presigned_query(request, keys, SigningScope("us-east-1", "elasticache"), at, 900).reveal()
    assert signed.endswith(f"&X-Amz-Signature={signature}")
    assert "&X-Amz-Date=20260302T120000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&" in signed
