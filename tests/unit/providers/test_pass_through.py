"""What is passed on to a provider's own API, and what of its answers is understood."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pointsman.core.errors import Malformed, NotFound
from pointsman.core.exchange import Inbound, InferenceRoute, RequestHead
from pointsman.core.handling import Handling
from pointsman.core.passage import Passage
from pointsman.core.price import Price
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Operation
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.providers.pass_through import PassageBook, passage_names
from pointsman.providers.pass_through.answer import PassageAnswer
from pointsman.providers.pass_through.heads import forwarded_headers, returned_lines
from pointsman.providers.pass_through.target import read_target

ROUTE = InferenceRoute(Operation.PASS_THROUGH, OpenAIDialect(), "/x/{path}")
OWN = Deployment(
    id="d", group="public", provider="openai", model="real", litellm_model="openai/real",
    api_base="http://here:1/proxy/v1?x=1", price=Price(1, 1), api_key=Secret("sk-up"),
    access_groups=frozenset({"g"}),
)  # fmt: skip


def price(_provider: str, model: str) -> Price | None:
    return Price(7, 7) if model == "known" else None


def passage(
    target: str,
    body: bytes = b"",
    method: bytes = b"POST",
    own: tuple[Deployment, ...] = (OWN,),
    environment: Mapping[str, str] | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Passage:
    book = PassageBook(lambda: own, lambda: environment or {}, price, frozenset({b"authorization"}))
    return book.passage(Inbound(RequestHead(ROUTE, b"sk-caller", headers, target, method=method), body, 0.0, 0.0))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("openai/v1/files", b"/v1/files"),
        ("openai/files", b"/v1/files"),
        ("openai/files?a=1&key=k&b=2", b"/v1/files?a=1&b=2"),
        ("openai/v1beta/x", b"/v1beta/x"),
        ("openai/v1/a%20b", b"/v1/a%20b"),
        ("openai/v1/files/", b"/v1/files/"),
    ],
)
def test_paths_below_the_providers_address(target: str, path: bytes) -> None:
    found = passage(target, method=b"GET")
    assert (found.outbound.path, found.outbound.method) == (path, b"GET")
    assert found.deployment.api_base == "http://here:1/proxy"


def test_the_model_is_that_of_the_body_or_of_the_path() -> None:
    by_body = passage("openai/v1/x", b'{"model":"real"}')
    assert (by_body.ask.model, by_body.deployment.group, by_body.deployment.price) == ("real", "public", Price(1, 1))
    assert by_body.deployment.access_groups == {"g"} and by_body.deployment.charges
    by_path = passage("openai/v1beta/models/known:generateContent", b"{}")
    assert (by_path.ask.model, by_path.deployment.price) == ("known", Price(7, 7))
    escaped = passage("openai/v1beta/models/known%3AgenerateContent", b"{}")
    assert escaped.ask.model == "known"
    nothing = passage("openai/v1/files", b"[1]")
    assert (nothing.ask.model, nothing.deployment.price, nothing.deployment.charges) == ("", None, False)
    for odd in (b'{"model":7}', b'{"model":"a\\u0000"}', b'{"model":"%b"}' % (b"m" * 5000)):
        assert passage("openai/v1/x", odd).ask.model == ""


@pytest.mark.parametrize(
    "target",
    [
        "openai/v1beta/%6Dodels/known:generateContent",
        "openai/v1beta/models%2Fknown:generateContent",
        "openai/v1beta/tunedModels/known:generateContent",
        "openai/openai/deployments/known/chat/completions",
        "openai/openai/Deployments/known/chat/completions",
        "openai/v1/engines/known/completions",
    ],
)
def test_the_model_of_a_path_is_found_in_any_spelling_and_goes_before_that_of_the_body(target: str) -> None:
    assert passage(target, b'{"model":"cheap"}').ask.model == "known"


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("amazon.nova-lite-v1%3A0/converse-stream", "amazon.nova-lite-v1:0"),
        ("arn:aws:bedrock:eu-central-1:1:application-inference-profile%2Fa/invoke",
         "arn:aws:bedrock:eu-central-1:1:application-inference-profile/a"),
        ("cheap/invoke/model/dear/invoke", "cheap/invoke/model/dear"),
    ],
)  # fmt: skip
def test_a_model_of_bedrock_keeps_its_colons_and_slashes(path: str, model: str) -> None:
    assert passage(f"bedrock/model/{path}", b"{}", own=(replace(OWN, provider="bedrock"),)).ask.model == model


@pytest.mark.parametrize("kind", [b"text/plain", b"application/octet-stream", b"application/json; charset=utf-8"])
def test_json_is_read_whatever_it_is_said_to_be(kind: bytes) -> None:
    found = passage("openai/v1/x", b'{"model":"real"}', headers=((b"content-type", kind),))
    assert (found.ask.model, found.outbound.content_type) == ("real", kind)


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b'\xef\xbb\xbf{"model":"x"}', '{"model":"x"}'.encode("utf-16"), b'["\xff"]']
)
def test_json_that_others_might_read_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="JSON"):
        passage("openai/v1/x", body)
    assert passage("openai/v1/x", body, headers=((b"content-type", b"application/jsonl"),)).outbound.body == body


def test_a_body_whose_model_cannot_be_read_is_refused() -> None:
    with pytest.raises(Malformed, match="content encoding"):
        passage("openai/v1/x", b"\x1f\x8b", headers=((b"content-encoding", b"gzip"),))


def test_the_model_of_a_form() -> None:
    kind = (b"content-type", b"multipart/form-data; boundary=b")
    part = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n'
    once = part % b"real" + b"--b--\r\n"
    found = passage("openai/v1/audio/transcriptions", once, headers=(kind,))
    assert (found.ask.model, found.outbound.body) == ("real", once)
    hidden = b"\r\n--a\r\n".join((b"--b", part[5:] % b"dear"))
    for body, boundary in ((once, b"a"), (hidden, b"a"), (once, b"b; boundary=a")):
        odd = (b"content-type", b"multipart/form-data; boundary=" + boundary)
        with pytest.raises(Malformed):
            passage("openai/v1/audio/transcriptions", body, headers=(odd,))
    with pytest.raises(Malformed):
        passage("openai/v1/audio/transcriptions", part % b"cheap" + part % b"dear" + b"--b--\r\n", headers=(kind,))


def test_a_model_cannot_hide_behind_one_that_is_none() -> None:
    found = passage("openai/v1/x", b'{"model":"dear","a":1,"model":7}')
    assert (found.ask.model, json.loads(found.outbound.body)) == ("", {"model": 7, "a": 1})
    assert found.outbound.body.count(b"model") == 1


def test_all_spellings_of_a_path_are_told() -> None:
    expected = {"/openai/v1/files", "/openai/files", "/openai_passthrough/v1/files", "/openai_passthrough/files"}
    for target in ("openai/files", "openai/v1/files", "openai_passthrough/v1/files"):
        assert set(passage(target, method=b"GET").spellings) == expected


def test_the_operators_headers_are_not_the_callers_to_set() -> None:
    own = msgspec.structs.replace(
        OWN, headers={"X-Tenant": Secret("a"), "anthropic-version": Secret("1")}, key_header="X-Own-Key"
    )
    headers = tuple(
        (name, b"mine") for name in (b"x-tenant", b"x-own-key", b"anthropic-version", b"x-http-method-override")
    )
    found = passage("openai/v1/x", own=(own,), headers=headers)
    assert [name for name, _ in found.outbound.headers] == ["anthropic-version", "accept"]


def test_a_provider_is_configured_or_in_the_environment_or_not_there() -> None:
    found = passage("openai/v1/x", own=(), environment={"OPENAI_API_KEY": "sk-env"})
    assert found.deployment.api_base == "https://api.openai.com"
    assert found.deployment.api_key is not None and found.deployment.api_key.reveal() == "sk-env"
    for target in ("openai/v1/x", "nobody/v1/x"):
        with pytest.raises(NotFound):
            passage(target, own=())
    assert "openai" in passage_names() and "anthropic" in passage_names()


def test_the_operator_says_who_lends_the_key() -> None:
    def lender(*lends: bool | None) -> str:
        handled = [msgspec.structs.replace(OWN, handling=Handling(lends=one)) for one in lends]
        own = tuple(msgspec.structs.replace(one, id=str(n), api_key=Secret(f"sk-{n}")) for n, one in enumerate(handled))
        key = passage("openai/v1/x", own=own, environment={"OPENAI_API_KEY": "sk-env"}).deployment.api_key
        return "" if key is None else key.reveal()

    assert lender(None, None) == "sk-0"
    assert lender(None, True, True) == "sk-1"
    assert lender(False, None) == "sk-1"
    assert lender(False, False) == "sk-env"


SEGMENTS = st.sampled_from(["a", "..", ".", "", "%2e", "%2E%2e", "%2f", "%5c", "\\", "%252e", "%252f", "v1", "a%00"])


@settings(deadline=None)
@given(st.lists(SEGMENTS, min_size=1, max_size=6))
def test_no_spelling_steps_out(segments: list[str]) -> None:
    rest = "/".join(segments)
    try:
        path, _ = read_target(rest)
    except Malformed:
        return
    for _ in range(3):
        parts = path.replace("\\", "/").split("/")
        assert not {".", ".."} & set(parts) and "" not in parts[:-1]
        path = unquote(path)


@pytest.mark.parametrize("rest", ["a b", "a\x00", "a\r\nHost: x", "é", "a#b", "", "/a", "a//b", "..", "a/%2e%2e"])
def test_odd_targets_are_refused(rest: str) -> None:
    if rest == "":
        assert read_target(rest) == ("", "")
        return
    with pytest.raises(Malformed):
        read_target(rest)


@pytest.mark.parametrize("name", ["key", "KEY", "%6bey", "api_key", "access_token"])
def test_no_key_stays_in_the_query(name: str) -> None:
    assert read_target(f"a?x=1&{name}=sk&y") == ("a", "x=1&y")


def test_headers_that_travel_on() -> None:
    sent = forwarded_headers(
        ((b"accept", b"text/x"), (b"x-a", b"1"), (b"x-key", b"..sk-1.."), (b"te", b"x"), (b"x-goog-api-key", b"k"),
         (b"connection", b"X-Hop"), (b"x-hop", b"1"), (b"sec-fetch-mode", b"x")),
        b"sk-1", frozenset({b"x-goog-api-key"}),
    )  # fmt: skip
    assert [(name, value.reveal()) for name, value in sent] == [("accept", "text/x"), ("x-a", "1")]
    lines = returned_lines(
        ((b"content-type", b"a/b"), (b"set-cookie", b"x"), (b"content-length", b"1"), (b"x-b", b"2"))
    )
    assert lines == b"content-type: a/b\r\nx-b: 2\r\n"


def events(*objects: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in objects)


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (b'{"usage":{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}}',
         Usage(5, 2, cached=3, source="measured")),
        (b'{"usage":{"input_tokens":5,"output_tokens":2,"output_tokens_details":{"reasoning_tokens":1}}}',
         Usage(5, 2, reasoning=1, source="measured")),
        (b'{"usage":{"input_tokens":5,"output_tokens":2,"cache_read_input_tokens":3,"cache_creation_input_tokens":1}}',
         Usage(9, 2, cached=3, cache_write=1, source="measured")),
        (b'{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"thoughtsTokenCount":3}}',
         Usage(5, 5, reasoning=3, source="measured")),
        (b'[{"usageMetadata":{"promptTokenCount":5}},\r\n{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2}}]',
         Usage(5, 2, source="measured")),
        (b'{"usage":{"tokens":{"input_tokens":5.0,"output_tokens":2.0}}}', Usage(5, 2, source="measured")),
        (b'{"meta":{"tokens":{"input_tokens":5}}}', Usage(5, source="measured")),
        (b'{"usage":{"total_tokens":5}}', Usage(5, source="measured")),
        (b'{"response":"a","done":false}\n{"done":true,"prompt_eval_count":5,"eval_count":2}\n',
         Usage(5, 2, source="measured")),
        (events({"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
                {"type": "message_delta", "usage": {"output_tokens": 2}}), Usage(5, 2, source="measured")),
        (events({"response": {"usage": {"input_tokens": 5, "output_tokens": 2}}}), Usage(5, 2, source="measured")),
        (b'{"usage":"x"}', NO_USAGE), (b'{"usage":{"input_tokens":-1}}', NO_USAGE), (b"{", NO_USAGE), (b"", NO_USAGE),
        (b"\x00usage", NO_USAGE), (b"[1,{", NO_USAGE),
    ],
)  # fmt: skip
@settings(deadline=None)
@given(st.data())
def test_usage_in_the_words_of_each_provider_in_any_pieces(body: bytes, usage: Usage, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    answer = PassageAnswer()
    places = [0, *cuts, len(body)]
    given_back = b"".join(answer.feed(body[start:end]) for start, end in pairwise(places))
    assert given_back + answer.end() == body
    assert answer.usage == usage


def test_a_long_answer_is_passed_on_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.providers.pass_through.answer._BYTES_KEPT_MAX", 100)
    answer = PassageAnswer()
    pieces = [b'{"a":"', b"x" * 90, b"x" * 90, b'","usage":{"input_tokens":1}}']
    assert [answer.feed(piece) for piece in pieces] == pieces
    assert not answer._kept
    answer.end()
    assert answer.usage == NO_USAGE


def test_a_failure_does_not_repeat_the_key() -> None:
    answer = PassageAnswer(key=b"sk-up")
    error = answer.rejected(401, b'{"error":{"message":"sk-up is bad"}}', 3.0)
    assert "sk-up" not in error.message and error.retry_after == 3.0
    assert answer.whole(b"sk-up is bad") == "… is bad".encode()
