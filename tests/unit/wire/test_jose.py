from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey

from pointsman.wire import jose
from pointsman.wire.jose import ALGORITHMS, PublicKey, looks_like_jwt, read_key_set, read_token
from pointsman.wire.jose_signatures import CLOCK_SKEW_SECONDS, Expected, believe

NOW = 1_790_000_000.0
RSA = RSAKey.generate_key(2048, {"kid": "r"}, auto_kid=False)
OTHER = RSAKey.generate_key(2048, {"kid": "o"}, auto_kid=False)
EC = ECKey.generate_key("P-256", {"kid": "e"}, auto_kid=False)
EXPECTED = Expected("https://id.example", ("gateway",))


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


def key_set(*keys: Key, **more: Any) -> tuple[PublicKey, ...]:
    return read_key_set(msgspec.json.encode({"keys": [{**key.as_dict(private=False), **more} for key in keys]}))


def token(key: Key = RSA, algorithm: str = "RS256", *, head: dict[str, Any] | None = None, **claims: Any) -> bytes:
    said = {"iss": "https://id.example", "aud": "gateway", "sub": "ann", "exp": NOW + 60, **claims}
    body = msgspec.json.encode({name: value for name, value in said.items() if value is not None})
    return jws.serialize_compact({"alg": algorithm, **(head or {})}, body, key, [algorithm]).encode()


def believed(text: bytes, *keys: PublicKey, expected: Expected = EXPECTED) -> dict[str, Any]:
    claims, _ = believe(read_token(text), keys or key_set(RSA, EC), expected, now=NOW)
    return {name: msgspec.json.decode(raw) for name, raw in claims.items()}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [(b"eyJ.x.y", True), (b"sk-0123", False), (b"eyJ.x", False), (b"eyJ.x.y.z", False), (b"", False)],
)
def test_a_token_is_told_from_a_key_by_its_form(text: bytes, is_one: bool) -> None:
    assert looks_like_jwt(text) == is_one


@pytest.mark.parametrize(
    "text",
    [
        "", "..", "x.y.z", f"{part({'alg': 'none'})}.{part({})}.", f"{part({'alg': 'HS256'})}.{part({})}.x",
        f"{part({'alg': 'RS256', 'crit': ['b64'], 'b64': False})}.{part({})}.x", f"{part({})}.{part({})}.x",
        f"{part({'alg': 'RS256'})}.{part([])}.x", f"{part({'alg': 'RS256'})}=.{part({})}.x", "é.é.é",
        f"{part({'alg': 'RS256'})}.{part({'x': 'y' * jose.TOKEN_BYTES_MAX})}.x",
        f"{part({'alg': 'RS256'})[:-1]} .{part({})}.x",
    ],
)  # fmt: skip
def test_what_is_no_token_or_proves_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it "):
        read_token(text.encode())


def test_sets_of_keys_are_read_and_what_is_strange_in_them_left_out() -> None:
    strange = [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": 7}, {"crv": "P-256"}, {"kty": "EC", "crv": "secp256k1"}, "x"]
    keys = [RSA.as_dict(private=False), *strange, {**EC.as_dict(private=False), "use": "enc"}]
    (found,) = read_key_set(msgspec.json.encode({"keys": keys}))
    assert (found.kind, found.identity) == ("RSA", "r")
    for body in (b"", b"[]", b'{"keys":1}', b"\xff"):
        with pytest.raises(ValueError, match="no set of keys"):
            read_key_set(body)


def test_a_key_fits_the_algorithms_of_its_kind_and_curve() -> None:
    key = key_set(EC)[0]
    assert [name for name in ALGORITHMS if key.fits(name)] == ["ES256"]
    assert not key_set(EC, alg="ES384")
    assert not key.fits("none") and not key.fits("HS256")


def test_good_tokens_are_believed() -> None:
    assert believed(token())["sub"] == "ann"
    assert believed(token(EC, "ES256", head={"kid": "e"}))["sub"] == "ann"
    assert believed(token(aud=["x", "gateway"]))["sub"] == "ann"
    assert believed(token(aud=None), expected=Expected("https://id.example"))["sub"] == "ann"
    assert believed(token(exp=NOW - CLOCK_SKEW_SECONDS + 1))["sub"] == "ann"
    assert believed(token(nbf=NOW + CLOCK_SKEW_SECONDS))["sub"] == "ann"
    # A set whose only key has no name is that key's owner's, whatever tokens call it.
    nameless = read_key_set(
        msgspec.json.encode({"keys": [{k: v for k, v in RSA.as_dict(private=False).items() if k != "kid"}]})
    )
    assert believed(token(head={"kid": "anything"}), *nameless)["sub"] == "ann"


def test_keys_may_have_members_that_are_no_text() -> None:
    """As WebCrypto exports them."""
    more = {"ext": True, "key_ops": ["verify"], "iat": 1_790_000_000, "issued": {"by": "us"}, "x5c": ["MII"]}
    assert believed(token(), *key_set(RSA, **more))["sub"] == "ann"
    with pytest.raises(ValueError, match="signature is wrong"):
        believed(token(), *key_set(RSA, key_ops=["wrapKey"]))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (token(OTHER), "signature is wrong"),
        (token(OTHER, head={"kid": "r"}), "signature is wrong"),
        (token(head={"kid": "unknown"}), "none of its issuer's"),
        (token(EC, "ES256", head={"kid": "r"}), "none of its issuer's"),
        (token()[:-4] + b"AAAA", "signature is wrong"),
        (token().rpartition(b".")[0] + b".", "signature is wrong"),
        (token(exp=NOW - CLOCK_SKEW_SECONDS), "expired"),
        (token(exp=None), "expires"),
        (token(exp="never"), "expires"),
        (token(nbf=NOW + CLOCK_SKEW_SECONDS + 1), "not valid yet"),
        (token(iat=NOW + 3600), "not valid yet"),
        (token(iss="https://id.example/"), "another issuer"),
        (token(iss=None), "another issuer"),
        (token(aud="other"), "another audience"),
        (token(aud=[]), "another audience"),
        (token(aud=None), "another audience"),
    ],
)
def test_other_tokens_are_not(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        believed(text)
