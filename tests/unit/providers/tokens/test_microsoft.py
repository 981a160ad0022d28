"""What Entra and Azure's machines are asked, and what is made of their answers."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pointsman.core.errors import Overloaded, Rejected
from pointsman.core.secret import Secret
from pointsman.providers.tokens.microsoft import ClientSecret, FederatedIdentity, ManagedIdentity
from tests.unit.providers.scripted import FakeClock
from tests.unit.providers.tokens.answering import Answering

AUTHORITY = "https://login.example"
SCOPE = "https://cognitiveservices.azure.com/.default"
PRINCIPAL = ClientSecret(AUTHORITY, "tenant/1", "client", Secret("s&cret"), SCOPE)


async def test_a_principal_shows_its_secret() -> None:
    service = Answering({"access_token": "t", "expires_in": 3599})
    grant = await PRINCIPAL.fetch(service, FakeClock())
    assert (grant.token.reveal(), grant.seconds) == ("t", 3599)
    asked = service.asked[0]
    assert (asked.method, asked.url) == ("POST", f"{AUTHORITY}/tenant%2F1/oauth2/v2.0/token")
    assert asked.content_type == "application/x-www-form-urlencoded"
    assert asked.form == {
        "grant_type": "client_credentials",
        "client_id": "client",
        "client_secret": "s&cret",
        "scope": SCOPE,
    }


def test_an_identity_tells_sources_apart_and_shows_no_secret() -> None:
    other = ClientSecret(AUTHORITY, "tenant/1", "client", Secret("another"), SCOPE)
    assert PRINCIPAL.identity != other.identity
    assert "s&cret" not in PRINCIPAL.identity


async def test_a_federated_identity_shows_what_is_in_its_file_now(tmp_path: Path) -> None:
    file = tmp_path / "token"
    source = FederatedIdentity("login.example", "tenant", "client", str(file), SCOPE)
    with pytest.raises(Rejected, match="cannot be read"):
        await source.fetch(Answering(), FakeClock())
    service = Answering({"access_token": "t"}, {"access_token": "t"})
    for assertion in ("first", "second"):
        file.write_text(f"{assertion}\n")
        await source.fetch(service, FakeClock())
    assert [asked.form["client_assertion"] for asked in service.asked] == ["first", "second"]
    assert service.asked[0].url == "https://login.example/tenant/oauth2/v2.0/token"
    assert service.asked[0].form["client_assertion_type"].endswith(":jwt-bearer")


async def test_a_virtual_machine_asks_its_metadata_service() -> None:
    service = Answering({"access_token": "t", "expires_in": "86399", "expires_on": "9"})
    grant = await ManagedIdentity(SCOPE, "client").fetch(service, FakeClock())
    assert grant.seconds == 86_399
    asked = service.asked[0]
    query = {name: values[0] for name, values in parse_qs(urlsplit(asked.url).query).items()}
    assert (asked.method, urlsplit(asked.url).netloc, asked.headers) == ("GET", "169.254.169.254", {"Metadata": "true"})
    assert query == {
        "api-version": "2018-02-01",
        "resource": "https://cognitiveservices.azure.com",
        "client_id": "client",
    }


async def test_an_app_service_says_when_a_token_ends() -> None:
    clock = FakeClock()
    service = Answering({"access_token": "t", "expires_on": str(int(clock.now) + 600)})
    source = ManagedIdentity(SCOPE, None, "http://127.0.0.1:4141/msi/token", Secret("header"))
    assert (await source.fetch(service, clock)).seconds == 600
    assert service.asked[0].headers == {"X-IDENTITY-HEADER": "header"}
    assert service.asked[0].url.startswith("http://127.0.0.1:4141/msi/token?api-version=2019-08-01&")


async def test_a_machine_that_is_not_azures_says_what_to_set() -> None:
    with pytest.raises(Rejected) as refused:
        await ManagedIdentity(SCOPE).fetch(Answering(), FakeClock())
    assert "api_key" in refused.value.told() and refused.value.sent is False


@pytest.mark.parametrize(
    ("answer", "raised", "word"),
    [
        ((401, {"error": "invalid_client", "error_description": "AADSTS7000215: wrong"}), Rejected, "AADSTS7000215"),
        ((400, {"error": {"message": "odd"}}), Rejected, "odd"),
        ((429, "slow down"), Overloaded, "slow down"),
        ((200, "not JSON"), Rejected, "status 200"),
    ],
)
async def test_a_service_that_gives_none(answer: object, raised: type[Exception], word: str) -> None:
    with pytest.raises(raised, match=word) as refused:
        await PRINCIPAL.fetch(Answering(answer), FakeClock())
    assert "s&cret" not in str(refused.value)
