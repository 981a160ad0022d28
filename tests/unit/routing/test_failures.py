"""Kinds of failure."""

from __future__ import annotations

import pytest

from pointsman.core.errors import GatewayError, TimedOut, Unreachable
from pointsman.routing.failures import Failure, kind_of
from pointsman.wire.upstream_errors import upstream_failure


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Failure.BAD_REQUEST),
        (401, Failure.AUTHENTICATION),
        (402, Failure.OTHER),
        (403, Failure.AUTHENTICATION),
        (404, Failure.NOT_FOUND),
        (408, Failure.TIMEOUT),
        (409, Failure.OTHER),
        (413, Failure.BAD_REQUEST),
        (422, Failure.BAD_REQUEST),
        (429, Failure.RATE_LIMIT),
        (500, Failure.BAD_GATEWAY),
        (501, Failure.INTERNAL),
        (503, Failure.UNAVAILABLE),
        (504, Failure.TIMEOUT),
        (529, Failure.UNAVAILABLE),
    ],
)
def test_a_status_says_what_kind_of_failure_it_is(status: int, kind: Failure) -> None:
    assert kind_of(upstream_failure(status, "no")) is kind


def test_what_never_became_an_answer_is_a_timeout_or_unavailable() -> None:
    assert kind_of(TimedOut("slow")) is Failure.TIMEOUT
    assert kind_of(Unreachable("gone")) is Failure.UNAVAILABLE


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation", "invalid_prompt", "moderation_blocked"])
def test_a_code_about_content_says_more_than_the_status(code: str) -> None:
    assert kind_of(upstream_failure(400, "no", code=code)) is Failure.CONTENT_POLICY


def test_a_mistake_of_ours_is_internal() -> None:
    assert kind_of(GatewayError("oops")) is Failure.INTERNAL
