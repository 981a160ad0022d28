"""Sealed values: bound to their place, readable through changes of keys, and never overwritten by mistake."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret
from pointsman.stores.directory.records import StoredCredential, StoredModel
from pointsman.stores.directory.sealing import open_credential, open_params, seal_credential, seal_params
from pointsman.stores.encryption import (
    KEY_FILE,
    Place,
    Sealer,
    SecretKey,
    SecretKeys,
    WrongSecretKey,
    add_file_key,
    is_sealed,
    key_id_of,
    open_litellm_value,
    read_secret_keys,
)
from pointsman.stores.encryption.xsalsa import open_secretbox

PLACE = Place("credential", "openai", "api_key")
VALUE = Secret("sk-of-the-upstream-é-0123")
SALT = Secret("sk-salt-0123456789abcdef")

# Made by PyNaCl 1.6 as LiteLLM makes them: base64url of SecretBox(sha256(salt)).
NACL_VALUE = "vxGBP9Za0lKOqJwUGavcGgeaT8oPLVKc1FQvew4Wj6q1Ti1svxNH84wIwtZHBUSX85WLxj4p"

# From the tests of NaCl itself (secretbox.c).
NACL_KEY = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
NACL_NONCE = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
NACL_BOX = bytes.fromhex(
    "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b"
    "4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da"
    "99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5"
)
NACL_TEXT = bytes.fromhex(
    "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f4"
    "1db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52"
    "f0a089bc76897040e082f937763848645e0705"
)


def sealer(*texts: str) -> Sealer:
    keys = SecretKeys(tuple(SecretKey.of(Secret(text)) for text in texts))
    return Sealer(lambda *, make: keys)


def test_a_sealed_value_comes_back_and_shows_nothing() -> None:
    seal = sealer("a-key-of-the-operator")
    sealed = seal.seal(PLACE, VALUE)
    assert is_sealed(sealed) and "upstream" not in sealed
    assert seal.open(PLACE, sealed).matches(VALUE.reveal())
    assert seal.seal(PLACE, VALUE) != sealed  # a nonce of its own each time


@pytest.mark.parametrize(
    "other",
    [Place("model", "openai", "api_key"), Place("credential", "evil", "api_key"), Place("credential", "openai", "x")],
)
def test_a_value_cannot_be_moved_to_another_place(other: Place) -> None:
    seal = sealer("a-key-of-the-operator")
    with pytest.raises(WrongSecretKey, match="not what was encrypted"):
        seal.open(other, seal.seal(PLACE, VALUE))


def test_a_value_that_was_changed_is_refused() -> None:
    seal = sealer("a-key-of-the-operator")
    sealed = seal.seal(PLACE, VALUE)
    flipped = sealed[:-1] + ("A" if sealed[-1] != "A" else "B")
    for text in (flipped, sealed[:20], "pm1:", "plain text", sealed.replace(key_id_of(sealed), "")):
        with pytest.raises(WrongSecretKey):
            seal.open(PLACE, text)


def test_former_keys_still_open_and_the_first_one_seals() -> None:
    before = sealer("the-former-key-0123")
    sealed = before.seal(PLACE, VALUE)
    after = sealer("the-present-key-0123", "the-former-key-0123")
    assert after.open(PLACE, sealed).matches(VALUE.reveal())
    assert not after.is_current(sealed)
    again = after.seal(PLACE, after.open(PLACE, sealed))
    assert after.is_current(again)
    with pytest.raises(WrongSecretKey, match=key_id_of(again)):
        before.open(PLACE, again)


def test_an_error_names_the_key_by_id_and_never_the_value() -> None:
    sealed = sealer("the-former-key-0123").seal(PLACE, VALUE)
    with pytest.raises(WrongSecretKey) as caught:
        sealer("some-other-key-0123").open(PLACE, sealed)
    told = caught.value.told()
    assert key_id_of(sealed) in told and "openai" in told
    assert "upstream" not in told and "other-key" not in told


def test_a_key_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    made = read_secret_keys(None, None, tmp_path / "data")
    assert made.made
    path = tmp_path / "data" / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    again = read_secret_keys(None, None, tmp_path / "data")
    assert again.first == made.first and not again.made


def test_no_key_is_made_where_one_is_given(tmp_path: Path) -> None:
    keys = read_secret_keys(Secret("a-given-key-0123456, and-a-former-one-01"), SALT, tmp_path)
    assert len(keys.keys) == 3
    assert not (tmp_path / KEY_FILE).exists()
    assert keys.first == SecretKey.of(Secret("a-given-key-0123456"))
    assert keys.keys[2] == SecretKey.of(SALT)


def test_the_keys_of_the_file_still_open_what_they_sealed_once_one_is_given(tmp_path: Path) -> None:
    made = read_secret_keys(None, None, tmp_path)
    given = read_secret_keys(Secret("a-given-key-0123456"), None, tmp_path)
    assert given.first != made.first
    assert given.find(made.first.id) == made.first


def test_a_key_that_is_added_to_the_file_comes_first_and_is_found_by_those_who_run(tmp_path: Path) -> None:
    seal = Sealer(lambda *, make: read_secret_keys(None, None, tmp_path, make=make))
    old = seal.seal(PLACE, VALUE)
    add_file_key(tmp_path)
    fresh = Sealer(lambda *, make: read_secret_keys(None, None, tmp_path, make=make))
    assert fresh.open(PLACE, old).matches(VALUE.reveal())
    new = fresh.seal(PLACE, VALUE)
    assert key_id_of(new) != key_id_of(old)
    assert seal.open(PLACE, new).matches(VALUE.reveal())  # it looks again
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_can_read_or_that_is_empty_is_refused(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    path.write_text("psk-0123456789abcdef0123456789\n", encoding="utf-8")
    path.chmod(0o644)
    if os.name == "posix":
        with pytest.raises(Misconfigured, match="Others can read"):
            read_secret_keys(None, None, tmp_path)
    path.chmod(0o600)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(Misconfigured, match="no key"):
        read_secret_keys(None, None, tmp_path)
    assert path.read_text(encoding="utf-8") == "\n"


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="guessed") as caught:
        read_secret_keys(Secret("hunter2"), None, tmp_path)
    assert "hunter2" not in caught.value.told()


def test_keys_do_not_show_themselves() -> None:
    key = SecretKey.of(VALUE)
    assert repr(key) == f"SecretKey({key.id})"
    assert key.material.hex() not in str(SecretKeys((key,)))


def test_nacls_own_example_opens() -> None:
    assert open_secretbox(NACL_KEY, NACL_NONCE + NACL_BOX) == NACL_TEXT
    assert open_secretbox(NACL_KEY, NACL_NONCE + NACL_BOX[:-1] + b"\0") is None
    assert open_secretbox(NACL_KEY, NACL_NONCE) is None


def test_values_of_litellm_open_under_its_salt_key() -> None:
    opened = open_litellm_value(NACL_VALUE, SALT)
    assert opened is not None and opened.reveal() == "sk-übergabe-1"
    assert open_litellm_value(NACL_VALUE, Secret("sk-another-salt")) is None


@pytest.mark.parametrize("mark", ["v2:gcm:", "v3:gcm:"])
def test_values_that_litellm_encrypted_with_aes_open_too(mark: str) -> None:
    raw = SALT.reveal().encode()
    if mark == "v3:gcm:":
        key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"litellm-at-rest-v3").derive(raw)
    else:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(raw)
        key = digest.finalize()
    nonce = bytes(range(12))
    from base64 import urlsafe_b64encode

    text = mark + urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, b"sk-plain", None)).decode()
    opened = open_litellm_value(text, SALT)
    assert opened is not None and opened.reveal() == "sk-plain"
    assert open_litellm_value(text, Secret("sk-another-salt")) is None


@pytest.mark.parametrize("text", ["", "gpt-4o", "v3:gcm:", "v3:gcm:AAAA", "http://localhost:11434", "é" * 90])
def test_what_was_never_encrypted_is_told_apart(text: str) -> None:
    assert open_litellm_value(text, SALT) is None


def test_reading_makes_no_key_in_place_of_one_that_is_lost(tmp_path: Path) -> None:
    seal = Sealer(lambda *, make: read_secret_keys(None, None, tmp_path, make=make))
    sealed = seal.seal(PLACE, VALUE)
    (tmp_path / KEY_FILE).unlink()
    fresh = Sealer(lambda *, make: read_secret_keys(None, None, tmp_path, make=make))
    with pytest.raises(WrongSecretKey, match=key_id_of(sealed)):
        fresh.open(PLACE, sealed)
    assert not fresh.is_current(sealed)
    assert not (tmp_path / KEY_FILE).exists()


def test_every_secret_of_a_model_and_all_of_a_credential_is_sealed_for_its_own_place(tmp_path: Path) -> None:
    seal = Sealer(lambda *, make: read_secret_keys(None, None, tmp_path, make=make))
    said = {"model": "openai/m", "api_key": "sk-CANARY", "api_base": "http://h"}
    model = StoredModel(model_id="m1", name="m", params=seal_params(seal, "m1", said))
    assert b"CANARY" not in bytes(model.params)
    assert open_params(seal, model) == said
    credential = StoredCredential(name="c", values=seal_credential(seal, "c", said))
    assert not any(each.encode() in bytes(credential.values) for each in said.values()), "also what looks harmless"
    assert open_credential(seal, credential) == said
    with pytest.raises(WrongSecretKey):
        open_params(seal, msgspec.structs.replace(model, model_id="m2"))
    with pytest.raises(WrongSecretKey):
        open_credential(seal, msgspec.structs.replace(credential, name="d"))
