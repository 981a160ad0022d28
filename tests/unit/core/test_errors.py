"""The error tree: one shape, the statuses that LiteLLM's clients know."""

from __future__ import annotations

import pytest

from pointsman.core import errors
from pointsman.core.errors import Crowded, GatewayError, Malformed, Refused, Unreachable, UpstreamFailed

ALL = sorted(
    (getattr(errors, name) for name in errors.__all__),
    key=lambda kind: str(kind.__name__),
)


@pytest.mark.parametrize("kind", ALL)
def test_every_error_has_a_status_a_code_a_kind_and_says_its_message(kind: type[GatewayError]) -> None:
    error = kind("It broke.")
    assert error.message == str(error) == error.told() == "It broke."
    assert 400 <= error.status < 600 and error.code and error.kind
    assert (error.hint, error.param, error.retry_after) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Unauthenticated", 401),
        ("Forbidden", 403),
        ("Malformed", 400),
        ("Unsupported", 400),
        ("NotFound", 404),
        ("LimitReached", 429),
        ("BudgetExceeded", 422),
        ("Blocked", 400),
        ("Unreachable", 503),
        ("TimedOut", 408),
        ("Overloaded", 429),
        ("Broken", 502),
        ("StorageUnavailable", 503),
    ],
)
def test_statuses_are_litellms(name: str, status: int) -> None:
    assert getattr(errors, name)("x").status == status


def test_the_tree_is_as_drawn() -> None:
    refused = {kind.__name__ for kind in ALL if issubclass(kind, Refused)}
    upstream = {kind.__name__ for kind in ALL if issubclass(kind, UpstreamFailed)}
    drawn = (errors.__doc__ or "").partition("├── UpstreamFailed")
    for name in refused - {"Refused"}:
        assert name in drawn[0]
    for name in upstream - {"UpstreamFailed"}:
        assert name in drawn[2]
    assert refused.isdisjoint(upstream)


def test_what_is_given_wins_over_what_is_usual() -> None:
    error = Malformed("No.", hint="Do this.", param="n", status=413, code="too_large", kind="odd", retry_after=2.5)
    assert (error.status, error.code, error.kind, error.param, error.retry_after) == (413, "too_large", "odd", "n", 2.5)
    assert error.told() == "No. Do this."


@pytest.mark.parametrize(("message", "told"), [("No such key", "No such key. Do this."), ("Why?", "Why? Do this.")])
def test_a_hint_is_a_sentence_of_its_own(message: str, told: str) -> None:
    assert Malformed(message, hint="Do this.").told() == told


def test_a_given_zero_or_empty_value_is_a_value() -> None:
    error = GatewayError("x", status=0, code="", kind="")
    assert (error.status, error.code, error.kind) == (0, "", "")


def test_only_an_upstream_that_was_never_reached_has_surely_seen_nothing() -> None:
    unsent = {kind.__name__ for kind in ALL if issubclass(kind, UpstreamFailed) and not kind.sent}
    assert unsent == {Unreachable.__name__, Crowded.__name__}
