"""Whose key it is: never a default, never more questions to the store than needed."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Forbidden, StorageUnavailable, Unauthenticated
from pointsman.core.identity import KeyRecord, token_of
from pointsman.core.secret import Secret
from pointsman.policies import keyring as keyring_module
from pointsman.policies.keyring import BEARING_HEADERS, Keyring, bare_key, presented_key
from pointsman.policies.principal import Principal
from tests.unit.policies.desk import FakeClock, FakeSource, key_record

MASTER = "sk-master-1234"


def ring(*records: KeyRecord, master: str | None = MASTER) -> tuple[Keyring, FakeSource, FakeClock]:
    source, clock = FakeSource(*records), FakeClock()
    return Keyring(Secret(master) if master is not None else None, source, clock), source, clock


async def find(keyring: Keyring, key: bytes | str) -> Principal:
    token = keyring.digest(key if isinstance(key, bytes) else key.encode())
    return keyring.recall(token) or await keyring.look_up(token)


async def test_the_master_key_is_known_without_the_store_and_is_recorded_under_a_name() -> None:
    keyring, source, _ = ring()
    principal = await find(keyring, MASTER)
    assert principal.admin and principal.record.token == "master" and source.asked == []
    assert hashlib.sha256(MASTER.encode()).hexdigest() not in repr(principal.record)


async def test_a_virtual_key_is_asked_for_once_and_is_no_admin() -> None:
    keyring, source, _ = ring(key_record("sk-one"))
    first = await find(keyring, "sk-one")
    assert first is await find(keyring, "sk-one")
    assert not first.admin and len(source.asked) == 1 and len(keyring) == 1


async def test_two_look_ups_at_once_share_one_principal() -> None:
    keyring, _, _ = ring(key_record("sk-one"))
    token = token_of("sk-one")
    first, second = await asyncio.gather(keyring.look_up(token), keyring.look_up(token))
    assert first is second


async def test_an_unknown_key_costs_the_store_one_question_and_is_asked_for_again_later() -> None:
    keyring, source, clock = ring()
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await find(keyring, "sk-guess")
    assert len(source.asked) == 1
    clock.now += 5.1
    source.records[token_of("sk-guess")] = key_record("sk-guess")
    assert (await find(keyring, "sk-guess")).record.token == token_of("sk-guess")


async def test_a_key_that_was_unknown_a_moment_ago_is_known_once_it_is_made() -> None:
    keyring, source, _ = ring()
    with pytest.raises(Unauthenticated):
        await find(keyring, "sk-new")
    record = source.records[token_of("sk-new")] = key_record("sk-new")
    keyring.changed(record.token, record)
    assert (await find(keyring, "sk-new")).record is record


async def test_guesses_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring_module, "UNKNOWN_KEYS_CACHED_MAX", 3)
    keyring, _, _ = ring()
    for number in range(10):
        with pytest.raises(Unauthenticated):
            await find(keyring, f"sk-{number}")
    assert sum(keyring.remembers(token_of(f"sk-{number}")) for number in range(10)) == 3
    assert keyring.remembers(token_of("sk-9"))


async def test_keys_are_forgotten_oldest_first_but_never_with_a_call_or_money_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keyring_module, "KEYS_CACHED_MAX", 3)
    keyring, _, _ = ring(*(key_record(f"sk-{number}") for number in range(6)))
    busy, owing = await find(keyring, "sk-0"), await find(keyring, "sk-1")
    busy.in_flight = 1
    owing.settle(5)
    for number in range(2, 6):
        await find(keyring, f"sk-{number}")
    assert [keyring.remembers(token_of(f"sk-{number}")) for number in range(6)] == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]


async def test_a_key_that_cannot_be_kept_is_refused_as_our_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring_module, "KEYS_CACHED_MAX", 1)
    keyring, _, _ = ring(key_record("sk-0"), key_record("sk-1"))
    (await find(keyring, "sk-0")).in_flight = 1
    with pytest.raises(StorageUnavailable):
        await find(keyring, "sk-1")


async def test_an_expired_key_is_refused_from_that_moment_on_even_when_in_memory() -> None:
    clock_start = FakeClock().wall()
    keyring, _, clock = ring(key_record("sk-one", expires=clock_start + 10))
    await find(keyring, "sk-one")
    clock.now += 10
    with pytest.raises(Unauthenticated) as caught:
        await find(keyring, "sk-one")
    assert (caught.value.status, caught.value.code) == (401, "expired_api_key")
    fresh, _, _ = ring(key_record("sk-one", expires=clock_start - 1))
    with pytest.raises(Unauthenticated):
        await find(fresh, "sk-one")


async def test_a_blocked_key_is_refused_at_once_and_welcome_again_when_unblocked() -> None:
    record = key_record("sk-one")
    keyring, _, _ = ring(record)
    principal = await find(keyring, "sk-one")
    keyring.changed(record.token, key_record("sk-one", blocked=True))
    with pytest.raises(Forbidden) as caught:
        await find(keyring, "sk-one")
    assert caught.value.code == "key_blocked"
    keyring.changed(record.token, record)
    assert await find(keyring, "sk-one") is principal


async def test_a_deleted_key_is_refused_at_once() -> None:
    record = key_record("sk-one")
    keyring, source, _ = ring(record)
    await find(keyring, "sk-one")
    source.records.clear()
    keyring.changed(record.token, None)
    with pytest.raises(Unauthenticated):
        await find(keyring, "sk-one")


async def test_what_is_spent_is_what_the_store_knows_and_what_it_does_not_know_yet() -> None:
    record = key_record("sk-one", spend=100)
    keyring, _, _ = ring(record)
    principal = await find(keyring, "sk-one")
    principal.settle(7)
    principal.settle(5)
    assert (principal.spent, principal.pending) == (112, 12)
    keyring.stored([(record.token, 7), ("nobody", 3)])
    assert (principal.spent, principal.pending) == (112, 5)
    keyring.changed(record.token, key_record("sk-one", spend=100 + 7 + 50))
    assert principal.spent == 100 + 7 + 50 + 5, "50 were spent through other processes"
    keyring.changed(record.token, key_record("sk-one", spend=0))
    assert principal.spent == 5, "a reset budget keeps what is not stored yet"


async def test_without_a_master_key_everybody_is_the_same_nobody() -> None:
    keyring, source, _ = ring(master=None)
    for key in (b"", b"sk-anything", b"\xff\xfe"):
        principal = await find(keyring, key)
        assert principal is keyring.anonymous and principal.record.token == "anonymous"
    assert source.asked == []


@pytest.mark.parametrize("key", ["anonymous", "master", token_of(MASTER)])
async def test_the_names_of_the_built_in_identities_are_no_keys(key: str) -> None:
    keyring, _, _ = ring()
    with pytest.raises(Unauthenticated):
        await find(keyring, key)


@pytest.mark.parametrize("key", [b"", b"x" * 4097])
async def test_no_key_and_an_endless_one_are_refused_before_anything_is_computed(key: bytes) -> None:
    keyring, source, _ = ring()
    with pytest.raises(Unauthenticated) as caught:
        await find(keyring, key)
    assert "Bearer" in caught.value.told() and source.asked == []


async def test_a_key_that_is_not_utf8_is_looked_for_and_is_only_ever_unknown() -> None:
    keyring, source, _ = ring()
    with pytest.raises(Unauthenticated):
        await find(keyring, b"sk-\xff\xfe\x80")
    assert source.asked == [hashlib.sha256(b"sk-\xff\xfe\x80").hexdigest()]


async def test_a_key_outside_ascii_is_the_same_key_in_a_header_and_in_the_store() -> None:
    keyring, _, _ = ring(key_record("sk-schlüssel"))
    assert (await find(keyring, "sk-schlüssel".encode())).record.token == token_of("sk-schlüssel")


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b"Bearer sk-1", b"sk-1"),
        (b"bearer sk-1", b"sk-1"),
        (b"BEARER sk-1", b"sk-1"),
        (b"BeArEr   sk-1  ", b"sk-1"),
        (b"sk-1", b"sk-1"),
        (b" sk-1\t", b"sk-1"),
        (b"Bearer", b"Bearer"),
        (b"Bearer ", b""),
        (b"Bearersk-1", b"Bearersk-1"),
        (b"", b""),
        (b"Bearer \xff", b"\xff"),
    ],
)
def test_the_word_bearer_is_taken_off_in_any_case(value: bytes, key: bytes) -> None:
    assert bare_key(value) == key


async def test_credentials_of_basic_authentication_are_no_key() -> None:
    keyring, _, _ = ring()
    with pytest.raises(Unauthenticated):
        await find(keyring, keyring_key(keyring, [(b"authorization", b"Basic dXNlcjpzay1tYXN0ZXItMTIzNA==")]))


def keyring_key(keyring: Keyring, headers: list[tuple[bytes, bytes]]) -> bytes:
    return presented_key(headers, keyring.places)


@given(st.lists(st.sampled_from(sorted(BEARING_HEADERS)), unique=True, min_size=1).flatmap(st.permutations))
def test_of_several_places_the_first_of_the_order_counts_whatever_their_order_in_the_request(
    names: list[bytes],
) -> None:
    headers = [(b"accept", b"*/*"), *((name, b"key of " + name) for name in names)]
    assert presented_key(headers, BEARING_HEADERS) == b"key of " + min(names, key=BEARING_HEADERS.__getitem__)


def test_an_empty_header_does_not_hide_a_key_in_another() -> None:
    headers = [(b"x-litellm-api-key", b""), (b"authorization", b"Bearer sk-1")]
    assert presented_key(headers, BEARING_HEADERS) == b"sk-1"


def test_of_one_header_sent_twice_the_first_counts() -> None:
    headers = [(b"authorization", b"Bearer sk-1"), (b"authorization", b"Bearer sk-2")]
    assert presented_key(headers, BEARING_HEADERS) == b"sk-1"


def test_the_operators_own_header_comes_before_all_others_in_any_case() -> None:
    keyring = Keyring(Secret(MASTER), FakeSource(), FakeClock(), "X-My-Key")
    headers = [(b"x-litellm-api-key", b"sk-1"), (b"x-my-key", b"Bearer sk-2")]
    assert keyring.token(headers) == token_of("sk-2")
    assert b"x-my-key" not in BEARING_HEADERS


@pytest.mark.parametrize(("size", "why"), [(0, "no API key was sent"), (4_097, "longer than 4096 bytes")])
def test_who_sends_too_much_is_not_told_that_it_was_nothing(size: int, why: str) -> None:
    keyring, _, _ = ring()
    with pytest.raises(Unauthenticated, match=why) as raised:
        keyring.digest(b"x" * size)
    assert raised.value.code == "invalid_api_key"


def test_a_key_elsewhere_is_none() -> None:
    keyring, _, _ = ring()
    with pytest.raises(Unauthenticated):
        keyring.token([(b"cookie", b"key=sk-1"), (b"x-key", b"sk-1")])


async def test_a_share_of_the_limits_goes_to_each_process() -> None:
    record = key_record("sk-one", rpm_limit=10)
    keyring = Keyring(Secret(MASTER), FakeSource(record), FakeClock(), share=4)
    assert (await find(keyring, "sk-one")).rpm == 3


async def test_the_principals_in_memory_can_be_listed() -> None:
    keyring, _, _ = ring(key_record("sk-one"))
    principal = await find(keyring, "sk-one")
    assert keyring.principals() == (principal,)


class SilentSource(FakeSource):
    """A store that cannot be asked while ``silent``."""

    silent = False

    async def get(self, token: str) -> KeyRecord | None:
        if self.silent:
            raise StorageUnavailable("The database cannot be reached.")
        return await super().get(token)


async def test_while_the_store_is_silent_keys_in_memory_go_on_and_others_are_not_called_wrong() -> None:
    source = SilentSource(key_record("sk-one"), key_record("sk-two"))
    keyring = Keyring(Secret(MASTER), source, FakeClock())
    await find(keyring, "sk-one")
    source.silent = True
    assert (await find(keyring, "sk-one")).record.token == token_of("sk-one")
    for key in ("sk-two", "sk-guess"):
        with pytest.raises(StorageUnavailable):
            await find(keyring, key)
    source.silent = False
    assert (await find(keyring, "sk-two")).record.token == token_of("sk-two")


async def test_keys_in_memory_are_believed_until_somebody_doubts_them() -> None:
    keyring, _, _ = ring(key_record("sk-one"))
    await find(keyring, "sk-one")
    keyring.doubt = StorageUnavailable("It has been silent for an hour.")
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="silent for an hour"):
            await find(keyring, "sk-one")
    assert (await find(keyring, MASTER)).admin
    keyring.doubt = None
    assert not (await find(keyring, "sk-one")).admin


async def test_whoever_admits_the_unverified_admits_them_as_nobody() -> None:
    source = SilentSource(key_record("sk-one"))
    keyring = Keyring(Secret(MASTER), source, FakeClock())
    keyring.admits_unverified = source.silent = True
    principal = await find(keyring, "sk-guess")
    assert (principal.admin, principal.record.token) == (False, "failed-to-connect-to-db")
    assert len(keyring) == 0
    source.silent = False
    with pytest.raises(Unauthenticated):
        await find(keyring, "sk-guess")
