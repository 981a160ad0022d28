"""What Google's token services are asked, for a service account, a person and a machine."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pointsman.core.errors import Rejected
from pointsman.core.secret import Secret
from pointsman.providers.tokens.google import GoogleIdentity
from tests.unit.providers.scripted import FakeClock
from tests.unit.providers.tokens.answering import Answering

TOKEN: dict[str, Any] = {"access_token": "t", "expires_in": 3599}
PERSON = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def account(key: rsa.RSAPrivateKey, **fields: Any) -> dict[str, Any]:
    return {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "k1",
        "private_key": pem(key),
        "client_email": "robot@p",
        **fields,
    }


def identity(keys: object) -> GoogleIdentity:
    return GoogleIdentity(Secret(json.dumps(keys)))


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def test_a_service_account_signs_who_it_is(key: rsa.RSAPrivateKey) -> None:
    service, clock = Answering(TOKEN), FakeClock()
    grant = await identity(account(key)).fetch(service, clock)
    assert (grant.token.reveal(), grant.project) == ("t", "p")
    asked = service.asked[0]
    assert asked.url == "https://oauth2.googleapis.com/token"
    assert asked.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    header, claims, signature = asked.form["assertion"].split(".")
    assert json.loads(decoded(header)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert json.loads(decoded(claims)) == {
        "iss": "robot@p",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": asked.url,
        "iat": int(clock.now),
        "exp": int(clock.now) + 3600,
    }
    signed = f"{header}.{claims}".encode()
    key.public_key().verify(decoded(signature), signed, padding.PKCS1v15(), hashes.SHA256())


async def test_a_person_shows_a_refresh_token() -> None:
    service = Answering(TOKEN)
    grant = await identity({**PERSON, "quota_project_id": "q"}).fetch(service, FakeClock())
    assert grant.project == "q"
    assert service.asked[0].form == {
        "grant_type": "refresh_token",
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "r",
    }


async def test_a_machine_is_asked_where_nothing_is_configured(tmp_path: Path) -> None:
    service = Answering(TOKEN, "machines-project")
    grant = await GoogleIdentity(usual_file=str(tmp_path / "none.json")).fetch(service, FakeClock())
    assert grant.project == "machines-project"
    assert [asked.headers for asked in service.asked] == [{"Metadata-Flavor": "Google"}] * 2
    assert service.asked[0].url.startswith("http://metadata.google.internal/computeMetadata/v1/")
    with pytest.raises(Rejected, match="No credentials for Vertex AI"):
        await GoogleIdentity().fetch(Answering(), FakeClock())


async def test_gclouds_file_comes_before_the_machine(tmp_path: Path) -> None:
    file = tmp_path / "adc.json"
    file.write_text(json.dumps(PERSON))
    service = Answering(TOKEN)
    await GoogleIdentity(usual_file=str(file)).fetch(service, FakeClock())
    assert service.asked[0].form["refresh_token"] == "r"


@pytest.mark.parametrize(
    ("credentials", "word"),
    [
        ("{", "not the JSON"),
        ("/no/such/file.json", "FileNotFoundError"),
        ('{"type":"gdch_service_account"}', "'gdch_service_account' are not supported"),
        ('{"type":"impersonated_service_account"}', "are not supported"),
        ('{"type":"external_account"}', "no audience"),
        ('{"type":"service_account"}', "no client_email"),
        ('{"type":"authorized_user"}', "refresh_token"),
    ],
)
async def test_credentials_that_are_none(credentials: str, word: str) -> None:
    with pytest.raises(Rejected, match=word) as refused:
        await GoogleIdentity(Secret(credentials)).fetch(Answering(), FakeClock())
    assert refused.value.status == 401 and refused.value.hint


async def test_a_key_that_cannot_sign(key: rsa.RSAPrivateKey) -> None:
    for broken in ("no key", pem(ec.generate_private_key(ec.SECP256R1()))):
        with pytest.raises(Rejected, match="not an RSA key"):
            await identity(account(key, private_key=broken)).fetch(Answering(), FakeClock())


async def test_a_refused_key_says_what_to_check(key: rsa.RSAPrivateKey) -> None:
    service = Answering((400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}))
    with pytest.raises(Rejected) as refused:
        await identity(account(key)).fetch(service, FakeClock())
    assert "Invalid JWT Signature" in refused.value.message and "clock" in (refused.value.hint or "")


FEDERATED = {
    "type": "external_account",
    "audience": "//iam.googleapis.com/p",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.example/v1/token",
}
IMPERSONATE = "https://iam.example/robot:generateAccessToken"
IMPERSONATED = {"accessToken": "robots", "expireTime": "1970-01-01T00:36:40Z"}


async def test_somebody_elses_token_is_exchanged(tmp_path: Path) -> None:
    file = tmp_path / "jwt"
    file.write_text("theirs\n")
    service = Answering(TOKEN)
    await identity({**FEDERATED, "credential_source": {"file": str(file)}}).fetch(service, FakeClock())
    assert service.asked[0].url == "https://sts.example/v1/token"
    assert service.asked[0].form["subject_token"] == "theirs"
    assert service.asked[0].form["grant_type"].endswith(":token-exchange")


async def test_somebody_elses_token_may_be_at_an_address_and_lead_to_a_service_account() -> None:
    source = {
        "url": "https://token.example/",
        "headers": {"X-A": "b"},
        "format": {"type": "json", "subject_token_field_name": "value"},
    }
    keys = {**FEDERATED, "credential_source": source, "service_account_impersonation_url": IMPERSONATE}
    service, clock = Answering({"value": "theirs"}, TOKEN, IMPERSONATED), FakeClock()
    grant = await identity(keys).fetch(service, clock)
    assert (grant.token.reveal(), grant.seconds) == ("robots", 2200 - clock.now)
    assert [asked.url for asked in service.asked] == ["https://token.example/", FEDERATED["token_url"], IMPERSONATE]
    assert service.asked[0].headers == {"X-A": "b"} and service.asked[1].form["subject_token"] == "theirs"
    assert service.asked[2].headers == {"Authorization": "Bearer t"}


async def test_a_person_may_act_as_a_service_account() -> None:
    keys = {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": IMPERSONATE,
        "source_credentials": PERSON,
        "quota_project_id": "q",
    }
    grant = await identity(keys).fetch(Answering(TOKEN, IMPERSONATED), FakeClock())
    assert (grant.token.reveal(), grant.project) == ("robots", "q")
    refusal = (403, {"error": {"message": "Permission denied on iam.serviceAccounts.getAccessToken"}})
    with pytest.raises(Rejected, match="getAccessToken") as refused:
        await identity(keys).fetch(Answering(TOKEN, refusal), FakeClock())
    assert "TokenCreator" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ({"file": "/no/such"}, "FileNotFoundError"),
        ({"environment_id": "aws1"}, "neither a file nor a url"),
        ({"url": "https://token.example/"}, "status 404"),
        ({"url": "https://token.example/", "format": {"type": "json", "subject_token_field_name": "x"}}, "format"),
    ],
)
async def test_a_subject_token_that_is_not_there(source: dict[str, Any], word: str) -> None:
    answer = (200, {"y": "z"}) if "format" in source else (404, "")
    with pytest.raises(Rejected, match=word):
        await identity({**FEDERATED, "credential_source": source}).fetch(Answering(answer), FakeClock())
