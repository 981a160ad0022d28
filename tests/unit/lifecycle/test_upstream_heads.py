"""What a client may see of the headers of an upstream's answer."""

from __future__ import annotations

from pointsman.core.identity import token_of
from pointsman.lifecycle.upstream_heads import with_upstream_lines
from tests.unit.lifecycle.house_script import KEY, Stage, chat_body
from tests.unit.lifecycle.openai_words import GOOD, LAST, refusal
from tests.unit.lifecycle.test_heads import lines
from tests.unit.policies.desk import key_record

HEADERS = ((b"content-type", b"application/json"), (b"x-request-id", b"req_1"), (b"x-ratelimit-limit-requests", b"9"))


def told(*headers: tuple[bytes, bytes], head: bytes = b"", secrets: tuple[str, ...] = ()) -> dict[str, str]:
    return lines(with_upstream_lines(head or b"a: b\r\n", headers, secrets))


def test_every_header_gets_the_prefix_and_limits_and_ids_keep_their_names_too() -> None:
    assert told(*HEADERS) == {
        "a": "b",
        "llm_provider-content-type": "application/json",
        "llm_provider-x-request-id": "req_1",
        "llm_provider-x-ratelimit-limit-requests": "9",
        "x-ratelimit-limit-requests": "9",
        "request-id": "req_1",
    }


def test_the_keys_own_limits_are_told_and_not_the_upstreams() -> None:
    own = b"x-ratelimit-limit-requests: 5\r\n"
    assert told(*HEADERS, head=own)["x-ratelimit-limit-requests"] == "5"


def test_accounts_cookies_and_secrets_are_kept_back() -> None:
    hidden = [(b"openai-organization", b"org"), (b"set-cookie", b"a=b"), (b"anthropic-organization-id", b"o")]
    assert told(*hidden, (b"x-echo", b"Bearer sk-up-1"), secrets=("sk-up-1",)) == {"a": "b"}


def test_there_is_an_end_of_them() -> None:
    many = [(b"x-%d" % number, b"v" * 100) for number in range(1000)]
    assert len(told(*many)) == 65
    assert told((b"x-long", b"v" * 9000), (b"x-short", b"v")) == {"a": "b", "llm_provider-x-short": "v"}


async def test_they_are_told_where_the_operator_wants_it_and_only_there() -> None:
    """Of whole answers, of streams and of errors."""
    for act, status, stream in ((GOOD, 200, False), (LAST, 200, True), (refusal("no"), 400, False)):
        for wanted in (True, False):
            stage = Stage(record=key_record(KEY), tells_upstream_headers=wanted)
            await stage.house.keyring.look_up(token_of(KEY))
            stage.sender.act = lambda flight, act=act, status=status: flight.answer(act, status, HEADERS)
            _, client = stage.tell(chat_body(stream=stream), KEY)
            assert ("llm_provider-x-request-id" in lines(client.head)) is wanted
