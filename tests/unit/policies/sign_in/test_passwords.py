from __future__ import annotations

import asyncio
import time

import pytest

from pointsman.core.errors import LimitReached, Malformed
from pointsman.core.secret import Secret
from pointsman.policies.sign_in.passwords import PASSWORD_CHARACTERS_MAX, PasswordRules, Passwords


async def test_a_digest_is_argon2id_salted_and_of_one_password() -> None:
    passwords = Passwords()
    first, second = [await passwords.digest(Secret("correct horse")) for _ in range(2)]
    assert first != second
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "correct" not in first
    assert await passwords.matches(Secret("correct horse"), first)
    assert not await passwords.matches(Secret("correct horsf"), first)
    assert not await passwords.matches(Secret(""), first)


@pytest.mark.parametrize("digest", ["", "x", "$argon2id$", "correct horse", "5e884898da28047151d0e56f8dc6292773603d0d"])
async def test_what_is_no_digest_matches_nothing(digest: str) -> None:
    assert not await Passwords().matches(Secret("correct horse"), digest)
    assert not await Passwords().matches(Secret(digest), digest)


async def test_who_is_not_known_is_refused_as_late() -> None:
    passwords = Passwords()
    digest = await passwords.digest(Secret("correct horse"))
    assert not await passwords.matches(Secret("x"), None)  # what stands for nobody is made once
    seconds = {}
    for name, against in (("known", digest), ("unknown", None)):
        began = time.perf_counter()
        for _ in range(3):
            assert not await passwords.matches(Secret("wrong"), against)
        seconds[name] = time.perf_counter() - began
    assert 0.2 < seconds["known"] / seconds["unknown"] < 5


async def test_the_loop_goes_on_meanwhile_and_few_wait() -> None:
    passwords = Passwords()
    work = [asyncio.create_task(passwords.digest(Secret(f"password {number}"))) for number in range(70)]
    await asyncio.sleep(0)
    with pytest.raises(LimitReached):
        await passwords.digest(Secret("one more"))
    turns = 0
    while not work[0].done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns >= 3
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    assert await passwords.digest(Secret("afterwards"))


async def test_a_password_without_end_is_none() -> None:
    passwords = Passwords()
    assert not await passwords.matches(Secret("x" * (PASSWORD_CHARACTERS_MAX + 1)), None)


@pytest.mark.parametrize(
    ("rules", "password", "missing"),
    [
        (PasswordRules(), "elevenchars", "12 characters"),
        (PasswordRules(), "twelve chars", None),
        (PasswordRules(), "TWELVE CHARS", None),
        (PasswordRules(length_min=1), "x" * (PASSWORD_CHARACTERS_MAX + 1), "at most"),
        (PasswordRules(uppercase=True), "lower case only", "upper-case"),
        (PasswordRules(lowercase=True), "UPPER CASE ONLY", "lower-case"),
        (PasswordRules(numbers=True), "no numbers here", "number"),
        (PasswordRules(special_characters=True), "NothingSpecial1", "special"),
        (PasswordRules(uppercase=True, lowercase=True, numbers=True, special_characters=True), "Aa1! Aa1! Aa1!", None),
    ],
)
def test_rules_for_new_passwords(rules: PasswordRules, password: str, missing: str | None) -> None:
    if missing is None:
        rules.demand(password)
        return
    with pytest.raises(Malformed, match=missing) as refused:
        rules.demand(password)
    assert password not in refused.value.told()
