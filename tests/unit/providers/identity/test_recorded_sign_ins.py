"""Sign-ins as real providers answered them: Keycloak and oidc-provider (certified), recorded in November 2026.

The answers are as they came; only access and refresh tokens were left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Unauthenticated
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.providers.identity import CodeFlow, DocumentBook, IdentityParty, KeySetBook, Proven
from pointsman.providers.identity.code_flow import Return
from pointsman.providers.transport import FetchReply
from tests.unit.admin.office_desk import SetClock


class Exchange(msgspec.Struct):
    """``body`` is the object of a JSON answer, or the text of a signed one."""

    asked: str
    status: int
    body: msgspec.Raw


class Recording(msgspec.Struct):
    """``at`` is in seconds since the epoch; ``claims`` are some of those that are proven."""

    server: str
    issuer: str
    client_id: str
    nonce: str
    iss: str | None
    at: int
    exchanges: tuple[Exchange, ...]
    claims: dict[str, Any]


RECORDINGS = msgspec.json.decode(
    Path(__file__).with_name("recorded_sign_ins.json").read_bytes(), type=tuple[Recording, ...]
)


class Replay:
    def __init__(self, recording: Recording) -> None:
        self._answers = {one.asked: one for one in recording.exchanges}

    async def fetch(self, method: str, url: str, **_: Any) -> FetchReply:
        answer = self._answers[f"{method} {url}"]
        body = bytes(answer.body)
        return FetchReply(answer.status, (), msgspec.json.decode(body).encode() if body.startswith(b'"') else body)


async def arrived(recording: Recording, back: Return, *, client_id: str, seconds_later: float = 0.0) -> Proven:
    def fail(_name: str, error: BaseException) -> None:
        raise error

    wire, nursery, clock = Replay(recording), Nursery(fail), SetClock()
    clock.now += recording.at + seconds_later - clock.wall()
    flow = CodeFlow(wire, DocumentBook(wire, nursery, clock), KeySetBook(wire, nursery, clock), clock)
    party = IdentityParty(name="company", client_id=client_id, client_secret=Secret("s"), issuer=recording.issuer)
    return await flow.arrive(party, back, "http://127.0.0.1:18400/sso/callback")


@pytest.fixture(params=RECORDINGS, ids=lambda recording: recording.server)
def recording(request: pytest.FixtureRequest) -> Recording:
    one: Recording = request.param
    return one


async def test_who_has_signed_in_is_proven(recording: Recording) -> None:
    back = Return("code", recording.iss, recording.nonce, "verifier")
    proven = await arrived(recording, back, client_id=recording.client_id)
    assert {name: msgspec.json.decode(proven.claims[name]) for name in recording.claims} == recording.claims


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"nonce": "another"}, "another sign-in"),
        ({"iss": "https://elsewhere.example"}, "another provider"),
        ({"client_id": "another"}, "another audience"),
        ({"seconds_later": 86_400.0}, "expired"),
        ({"seconds_later": -86_400.0}, "not valid yet"),
    ],
    ids=lambda changed: "-".join(changed) if isinstance(changed, dict) else None,
)
async def test_and_nobody_by_an_answer_that_is_for_somebody_else_or_another_time(
    recording: Recording, changed: dict[str, Any], why: str
) -> None:
    said = {"nonce": recording.nonce, "iss": recording.iss, "client_id": recording.client_id, **changed}
    back = Return("code", said["iss"], said["nonce"], "verifier")
    with pytest.raises(Unauthenticated, match=why):
        await arrived(recording, back, client_id=said["client_id"], seconds_later=changed.get("seconds_later", 0.0))
