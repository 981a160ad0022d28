"""Keys are found by what they were bound by, and nothing is left of those that are gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pointsman.policies.tied_keys import TiedKeys
from pointsman.stores.directory.ports import Changed

SOURCES = [Changed("team", "t1"), Changed("team", "t2"), Changed("user", "u1"), Changed("access_group", "")]
KEYS = st.sampled_from("abcd")
TIES = st.lists(st.sampled_from(SOURCES), unique=True).map(tuple)
STEPS = st.lists(st.tuples(KEYS, st.one_of(st.none(), TIES)), max_size=20)


@given(STEPS, TIES)
def test_keys_are_found_by_any_of_what_binds_them(
    steps: list[tuple[str, tuple[Changed, ...] | None]], asked: tuple[Changed, ...]
) -> None:
    tied = TiedKeys()
    model: dict[str, tuple[Changed, ...]] = {}
    for key, sources in steps:
        if sources is None:
            tied.drop(key)
            model.pop(key, None)
        else:
            tied.put(key, sources)
            model[key] = sources
    assert tied.bound_by(asked) == {key for key, sources in model.items() if {*sources} & {*asked}}
    for key in model:
        tied.drop(key)
    assert len(tied) == 0
    assert not tied.bound_by(SOURCES)


def test_what_nobody_is_bound_by_takes_no_room() -> None:
    tied = TiedKeys()
    for number in range(100):
        tied.put(str(number), (Changed("user", str(number)), Changed("team", "t1")))
    for number in range(100):
        tied.put(str(number), (Changed("team", "t1"),))
    assert tied.bound_by((Changed("user", "7"),)) == set()
    assert len(tied.bound_by((Changed("team", "t1"),))) == 100
    tied.clear()
    assert not tied.bound_by(SOURCES)
