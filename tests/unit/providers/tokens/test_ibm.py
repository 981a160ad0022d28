"""What IBM's IAM is asked, and how its tokens are kept."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.core.access import IbmAccess
from pointsman.core.errors import Overloaded, Rejected
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Operation
from pointsman.providers.tokens import TokenBook
from pointsman.providers.tokens.ibm import IAM_URL, IamKey
from pointsman.providers.watsonx import watsonx_credential
from tests.unit.providers.scripted import FakeClock
from tests.unit.providers.tokens.answering import Answering

KEY = IamKey(Secret("k&y"))
ASK = Ask(Operation.CHAT, "", {})


def raised(_name: str, error: BaseException) -> None:
    raise error


async def test_a_key_is_exchanged_for_a_token() -> None:
    service = Answering({"access_token": "t", "refresh_token": "not_supported", "expires_in": 3600, "expiration": 9})
    grant = await KEY.fetch(service, FakeClock())
    assert (grant.token.reveal(), grant.seconds) == ("t", 3600)
    asked = service.asked[0]
    assert (asked.method, asked.url, asked.content_type) == ("POST", IAM_URL, "application/x-www-form-urlencoded")
    assert asked.form == {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "k&y"}
    assert asked.headers == {"Accept": "application/json"}


def test_an_identity_tells_keys_and_services_apart_and_shows_no_secret() -> None:
    others = (IamKey(Secret("another")), IamKey(Secret("k&y"), "https://iam.example/token"))
    assert len({KEY.identity, *(other.identity for other in others)}) == 3
    assert "k&y" not in KEY.identity


async def test_a_key_that_is_not_known_is_told_in_iams_words() -> None:
    told = {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found.", "context": {"x": "y"}}
    with pytest.raises(Rejected, match=r"\(status 400\): Provided API key could not be found\.$") as refused:
        await KEY.fetch(Answering((400, told)), FakeClock())
    assert refused.value.status == 401 and refused.value.code == "upstream_credentials"
    with pytest.raises(Overloaded):
        await KEY.fetch(Answering((429, told)), FakeClock())


async def test_one_token_is_shared_and_renewed_before_it_ends() -> None:
    clock, nursery = FakeClock(), Nursery(raised)
    service = Answering(*({"access_token": f"t{number}", "expires_in": 3600} for number in range(3)))
    book = TokenBook(service, nursery, clock)
    access = IbmAccess(api_key=Secret("k&y"))
    credentials = [watsonx_credential(access, book) for _ in range(4)]
    await asyncio.gather(*(credential.prepare(ASK) for credential in credentials))
    assert {credential.headers()[0][1].reveal() for credential in credentials} == {"Bearer t0"}
    assert len(service.asked) == 1
    clock.now += 3400
    await credentials[0].prepare(ASK)
    assert credentials[0].headers()[0][1].reveal() == "Bearer t0", "good still, and replaced behind"
    await book.learn(KEY)
    await credentials[0].prepare(ASK)
    assert credentials[0].headers()[0][1].reveal() == "Bearer t1"
    assert len(service.asked) == 2
    await nursery.close()


async def test_tokens_and_zen_keys_are_sent_as_they_are() -> None:
    book = TokenBook(Answering(), Nursery(raised), FakeClock())
    every = IbmAccess(token=Secret("t"), zen_api_key=Secret("z"), api_key=Secret("k"))
    assert [(name, value.reveal()) for name, value in watsonx_credential(every, book).headers()] == [
        ("Authorization", "Bearer t")
    ]
    zen = watsonx_credential(IbmAccess(zen_api_key=Secret("z"), api_key=Secret("k")), book)
    assert zen.headers()[0][1].reveal() == "ZenApiKey z"
    with pytest.raises(Rejected, match="No credentials for watsonx"):
        await watsonx_credential(IbmAccess(), book).prepare(ASK)
