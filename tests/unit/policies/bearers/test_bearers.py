"""What is remembered of a token is found by the whole of it, and forgotten in time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from pointsman.config.jwt_sections import JwtAuth
from pointsman.core.errors import Forbidden, Unauthenticated
from pointsman.core.identity import KeyRecord, token_of
from pointsman.core.secret import Secret
from pointsman.policies.bearers import bearers as bearers_module
from pointsman.policies.bearers.bearers import Bearers
from pointsman.policies.bearers.settings import BearerSettings, ClaimFields, TrustedIssuer
from pointsman.policies.keyring import Keyring
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.records import Team
from pointsman.stores.memory import MemoryDatabase, MemoryDirectoryStore, MemoryKeyStore
from pointsman.wire.jose import PublicKey, read_key_set
from tests.unit.admin.office_desk import MASTER, SetClock

KEY = RSAKey.generate_key(2048, {"kid": "r"}, auto_kid=False)
ISSUER = "https://id.example"


class Keys:
    def __init__(self) -> None:
        self.asked = 0

    async def keys_of(self, issuer: TrustedIssuer, key_id: str | None) -> tuple[PublicKey, ...]:
        self.asked += 1
        return read_key_set(msgspec.json.encode({"keys": [KEY.as_dict(private=False)]}))


class Scene:
    def __init__(self, **rules: Any) -> None:
        self.clock = SetClock()
        self.keys = Keys()
        database = MemoryDatabase()
        self.directory = MemoryDirectoryStore(database)
        self.store = MemoryKeyStore(database)
        self.keyring = Keyring(Secret(MASTER), self.store, self.clock)
        self.issuer = TrustedIssuer(issuer=ISSUER, audiences=("gateway",), fields=ClaimFields(team_id="team"))
        self.settings = BearerSettings(issuers=(self.issuer,), rules=JwtAuth(**rules))
        self.keyring.bearers = self.bearers = Bearers(self.settings, self.keys, self.directory, self.clock)

    def token(self, **claims: Any) -> bytes:
        said = {"iss": ISSUER, "aud": "gateway", "sub": "ann", "exp": self.clock.now + 60, **claims}
        return jws.serialize_compact({"alg": "RS256", "kid": "r"}, msgspec.json.encode(said), KEY, ["RS256"]).encode()

    async def find(self, key: bytes) -> Any:
        return await self.keyring.find(self.keyring.digest(key), key)


async def test_a_token_is_looked_at_once_and_until_it_expires() -> None:
    scene = Scene()
    token = scene.token()
    first = await scene.find(token)
    assert await scene.find(token) is first
    assert scene.keys.asked == 1
    scene.clock.now += 61
    with pytest.raises(Unauthenticated, match="expired"):
        await scene.find(token)
    assert len(scene.bearers) == 0


async def test_only_tokens_of_a_trusted_issuer_for_us_and_of_now_are_believed() -> None:
    scene = Scene()
    for claims, why in (
        ({"iss": "https://id.example.evil"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": ["another"]}, "audience"),
        ({"exp": scene.clock.now - 120}, "expired"),
        ({"nbf": scene.clock.now + 120}, "not valid yet|not yet"),
    ):
        with pytest.raises(Unauthenticated, match=why):
            await scene.find(scene.token(**claims))


async def test_a_caller_is_of_the_team_and_the_user_that_the_directory_knows() -> None:
    scene = Scene()
    fields = ClaimFields(team_id="team", user_id="sub", user_email="mail")
    scene.bearers.follow(BearerSettings(issuers=(msgspec.structs.replace(scene.issuer, fields=fields),)))
    await scene.directory.insert(TEAMS, Team(team_id="t"))
    record = (await scene.find(scene.token(team="t", sub="svc"))).record
    assert (record.team_id, record.user_id) == ("t", "svc")
    scene.bearers.forget({"svc"})
    assert len(scene.bearers) == 0


async def test_keys_and_tokens_are_never_found_for_one_another() -> None:
    scene = Scene()
    token = scene.token()
    await scene.find(token)
    digest = token_of(token.decode())
    assert scene.keyring.digest(token) != digest
    with pytest.raises(Unauthenticated):
        await scene.keyring.find(digest)
    await scene.store.insert(KeyRecord(token=digest, key_name="k"))
    assert (await scene.find(token)).record.token.startswith("jwt-")
    assert await scene.find(MASTER.encode()) is scene.keyring.master
    for made_up in (b"jwt." + digest.encode(), b"jwt-" + digest.encode()):
        with pytest.raises(Unauthenticated):
            await scene.find(made_up)


async def test_a_master_key_that_looks_like_a_token_stays_the_master_key() -> None:
    scene = Scene()
    scene.keyring = Keyring(Secret("eyJ.master.key"), scene.store, scene.clock)
    scene.keyring.bearers = scene.bearers
    assert await scene.find(b"eyJ.master.key") is scene.keyring.master


async def test_what_was_not_believed_is_not_looked_at_again_for_a_moment() -> None:
    scene = Scene()
    bad = scene.token()[:-3] + b"AAA"
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await scene.find(bad)
    assert scene.keys.asked == 1


async def test_a_change_in_the_directory_counts_at_once() -> None:
    scene = Scene()
    await scene.directory.insert(TEAMS, Team(team_id="t", models=("fast",)))
    token = scene.token(team="t")
    assert (await scene.find(token)).record.models == ("fast",)
    await scene.directory.update(TEAMS, "t", lambda team: msgspec.structs.replace(team, blocked=True))
    scene.bearers.forget({"t"})
    with pytest.raises(Forbidden, match="blocked"):
        await scene.find(token)


async def test_other_rules_count_at_once() -> None:
    scene = Scene()
    token = scene.token()
    await scene.find(token)
    scene.bearers.follow(scene.settings)
    assert len(scene.bearers) == 1
    other = msgspec.structs.replace(scene.issuer, audiences=("another",))
    scene.bearers.follow(BearerSettings(issuers=(other,)))
    with pytest.raises(Unauthenticated, match="audience"):
        await scene.find(token)


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bearers_module, "BEARERS_CACHED_MAX", 3)
    scene = Scene()
    for number in range(6):
        await scene.find(scene.token(sub=f"user-{number}"))
        with pytest.raises(Unauthenticated):
            await scene.find(scene.token(sub=f"user-{number}", aud="another"))
    assert len(scene.bearers) == 3
    assert len(scene.bearers._refused) == 3


async def test_scopes_do_not_open_what_the_team_has_not() -> None:
    scopes = [{"scope": "a", "models": ("fast", "slow")}, {"scope": "b", "models": ("slow",)}]
    rules = msgspec.convert({"enforce_scope_based_access": True, "scope_mappings": scopes}, JwtAuth)
    scene = Scene()
    scene.bearers.follow(BearerSettings(issuers=(scene.issuer,), rules=rules))
    await scene.directory.insert(TEAMS, Team(team_id="t", models=("fast",)))
    assert (await scene.find(scene.token(team="t", scope="a"))).record.models == ("fast",)
    nothing = await scene.find(scene.token(team="t", scope="b"))
    assert nothing.record.models and not nothing.unrestricted
