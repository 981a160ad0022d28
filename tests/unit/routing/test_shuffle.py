"""Simple shuffle: random in proportion to weight."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.upstream import Deployment, Operation
from pointsman.routing.live import Live
from pointsman.routing.pool import Member
from pointsman.routing.strategies.shuffle import Shuffle
from pointsman.routing.wish import Wish

ONE = Deployment(id="a", group="g", provider="p", model="m", litellm_model="p/m", api_base="http://x", price=None)
WISH = Wish(Operation.CHAT)


def weighing(*weights: float) -> list[Member]:
    return [
        Member(msgspec.structs.replace(ONE, id=str(number), weight=weight), Live(str(number)))
        for number, weight in enumerate(weights)
    ]


def drawn(members: list[Member], number: float) -> str:
    return Shuffle(lambda: number).pick(members, WISH, 0.0)[0].live.id


def test_each_is_drawn_in_proportion_to_its_weight() -> None:
    members = weighing(1, 3, 0, 4)
    counts = dict.fromkeys("0123", 0)
    for step in range(800):
        counts[drawn(members, step / 800)] += 1
    assert counts == {"0": 100, "1": 300, "2": 0, "3": 400}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8), st.floats(0, 1, exclude_max=True))
def test_some_deployment_is_always_drawn(weights: list[float], number: float) -> None:
    assert int(drawn(weighing(*weights), number)) < len(weights)


def test_weights_of_nothing_still_serve() -> None:
    assert drawn(weighing(0, 0), 0.0) in "01"
