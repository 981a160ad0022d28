"""Simple shuffle: random in proportion to weight."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.upstream import Deployment
from pointsman.routing.pick import weighted_shuffle

ONE = Deployment(id="a", group="g", provider="p", model="m", litellm_model="p/m", api_base="http://x", price=None)


def weighing(*weights: float) -> list[Deployment]:
    return [msgspec.structs.replace(ONE, id=str(number), weight=weight) for number, weight in enumerate(weights)]


def test_a_single_deployment_needs_no_dice() -> None:
    def never() -> float:
        pytest.fail("drawn")

    assert weighted_shuffle([ONE], never) is ONE


def test_each_is_drawn_in_proportion_to_its_weight() -> None:
    members = weighing(1, 3, 0, 4)
    counts = dict.fromkeys("0123", 0)
    for step in range(800):
        counts[weighted_shuffle(members, lambda step=step: step / 800).id] += 1  # type: ignore[misc]
    assert counts == {"0": 100, "1": 300, "2": 0, "3": 400}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8), st.floats(0, 1, exclude_max=True))
def test_some_deployment_is_always_drawn(weights: list[float], number: float) -> None:
    members = weighing(*weights)
    assert weighted_shuffle(members, lambda: number) in members


def test_weights_of_nothing_still_serve() -> None:
    assert weighted_shuffle(weighing(0, 0), lambda: 0.0).id in "01"
