from __future__ import annotations

import time

import pytest

from pointsman.core.errors import Broken, Overloaded, Rejected, UpstreamFailed
from pointsman.wire.upstream_errors import fit_to_repeat, upstream_failure


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (400, Rejected, 400),
        (401, Rejected, 401),
        (404, Rejected, 404),
        (422, Rejected, 422),
        (499, Rejected, 499),
        (429, Overloaded, 429),
        (503, Overloaded, 503),
        (529, Overloaded, 503),
        (500, Broken, 502),
        (502, Broken, 502),
        (504, Broken, 504),
        (599, Broken, 599),
        (302, Broken, 502),
        (0, Broken, 502),
    ],
)
def test_the_class_and_status_follow_the_upstreams(status: int, kind: type[UpstreamFailed], told: int) -> None:
    error = upstream_failure(status, "no")
    assert type(error) is kind
    assert error.status == told


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (429, "rate_limit_error"),
        (503, "api_error"),
        (500, "api_error"),
    ],
)
def test_the_type_is_the_one_openai_has_for_the_status(status: int, kind: str) -> None:
    assert upstream_failure(status, "no").kind == kind


def test_a_hint_follows_a_whole_sentence() -> None:
    assert upstream_failure(400, "no such thing", hint="Try another.").told() == "no such thing. Try another."
    assert upstream_failure(400, "no such thing!", hint="Try another.").told() == "no such thing! Try another."


# Put together here so that no file of the repository has the form of a key.
KEYS = (
    "sk" + "-abc123def456",
    "gsk" + "_A1b2C3d4E5",
    "AI" + "za" + "B" * 30,
    "AKI" + "A" + "Q" * 16,
    "ASI" + "A" + "Q" * 16,
)


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_not_repeated(key: str) -> None:
    for text in (f"Incorrect API key provided: {key}.", f"Bearer {key}", f"https://x/?key={key}&a=1"):
        assert key not in fit_to_repeat(text)


def test_tokens_of_sessions_are_not_repeated() -> None:
    token = "IQo" + "Jb3JpZ2luX2Vj" + "A1b2/+" * 20 + "=="
    assert fit_to_repeat(f"The token {token} is bad.") == "The token [hidden] is bad."


def test_credentials_in_headers_and_urls_are_not_repeated() -> None:
    assert fit_to_repeat("sent Authorization: Basic dXNlcjpwYXNzMTIz to it") == "sent Authorization: [hidden] to it"
    assert fit_to_repeat("cannot reach http://user:pw@host/v1") == "cannot reach http://[hidden]host/v1"


@pytest.mark.parametrize(
    "text", ["maximum context length is 4096 tokens", "skipping basic authentication", "unexpected token in task-list"]
)
def test_ordinary_words_are_repeated_as_they_are(text: str) -> None:
    assert fit_to_repeat(text) == text


def test_a_page_is_reduced_to_its_title() -> None:
    page = "<html><head><title>502 Bad\nGateway</title><style>a{}</style></head><body><h1>nginx</h1></body></html>"
    assert fit_to_repeat(page) == "502 Bad Gateway"


def test_a_page_without_title_is_reduced_to_its_text() -> None:
    page = "<html><script>var a = 1;</script><!-- x --><h1>No   entry</h1>\x00<p>now</p></html>"
    assert fit_to_repeat(page) == "No entry now"


def test_long_text_is_cut() -> None:
    assert fit_to_repeat("x" * 100_000) == "x" * 500 + "…"


@pytest.mark.parametrize("text", ["<" * 100_000, "<title>" * 20_000, "<!--" * 50_000, "<script>" * 20_000 + ">"])
def test_hostile_markup_takes_little_time(text: str) -> None:
    started = time.process_time()
    fit_to_repeat(text)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("message", "code", "found"),
    [
        ("Output blocked by content filtering policy", None, "content_policy_violation"),
        ("The response was filtered due to Azure's content management policy.", "content_filter", "content_filter"),
        ("Your request was rejected as a result of our safety system.", "moderation_blocked", "moderation_blocked"),
        ("Content Exists Risk", "invalid_request_error", "content_policy_violation"),
        ("Input data may contain inappropriate content.", "data_inspection_failed", "content_policy_violation"),
        ("max_tokens is too large", None, "upstream_rejected"),
    ],
)
def test_what_is_not_let_through_has_a_code(message: str, code: str | None, found: str) -> None:
    assert upstream_failure(400, message, code=code).code == found
    assert upstream_failure(500, message, code=code).code == (code or "upstream_broken")
