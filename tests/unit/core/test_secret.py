"""A secret does not print, in whatever way it is asked to."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Callable

import msgspec
import pytest

from pointsman.core.secret import Secret

VALUE = "sk-very-secret-0123456789"


class Holder(msgspec.Struct):
    key: Secret


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>60}",
        lambda secret: f"{secret:>60}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - that is what is tested
        lambda secret: repr([secret]) + repr({"key": secret}),
        lambda secret: repr(Holder(secret)),
        lambda secret: logging.makeLogRecord({"msg": "%s", "args": (secret,)}).getMessage(),
        lambda secret: str(ValueError(secret)),
    ],
)
def test_no_way_of_printing_shows_the_value(show: Callable[[Secret], str]) -> None:
    assert VALUE not in show(Secret(VALUE))


def test_only_reveal_gives_the_value() -> None:
    assert Secret(VALUE).reveal() == VALUE
    assert not hasattr(Secret(VALUE), "__dict__")


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode])
def test_a_secret_cannot_be_copied_out_by_machines(leak: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError):
        leak(Secret(VALUE))


def test_matching_compares_values_and_equality_does_not() -> None:
    assert Secret(VALUE).matches(VALUE)
    assert not Secret(VALUE).matches(VALUE + "x")
    assert not Secret(VALUE).matches("")
    assert Secret(VALUE) != Secret(VALUE)
    assert Secret("") != Secret(VALUE)


@pytest.mark.parametrize("other", ["ключ", "\udcff\udcfe", "\x00"])
def test_matching_survives_any_text(other: str) -> None:
    assert not Secret(VALUE).matches(other)
    assert Secret(other).matches(other)


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret("x")
