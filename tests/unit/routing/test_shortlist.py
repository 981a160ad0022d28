"""A few of very many: who has the model is found without looking at all."""

from __future__ import annotations

import random

from pointsman.routing.hosts import LoadedModel
from pointsman.routing.router import Router
from pointsman.routing.shortlist import LOOKED_AT_MAX
from tests.unit.routing.fleet_script import GIGABYTE, WISH, deployment, local, router, the_pool, wish

MANY = 2_000


def large(seed: int = 1) -> Router:
    return router(*(local(f"h{number}") for number in range(MANY)), draw=random.Random(seed).random)


def load(made: Router, number: int, model: str = "m") -> None:
    made.fleet.at(f"http://h{number}").loaded = {model: LoadedModel(model, 8 * GIGABYTE, 8 * GIGABYTE)}


def test_only_large_pools_are_sampled() -> None:
    small = router(*(local(str(number)) for number in range(LOOKED_AT_MAX)))
    assert the_pool(small).tiers[0].sampler is None
    assert the_pool(large()).tiers[0].sampler is not None


def test_few_are_looked_at() -> None:
    (tier,) = the_pool(large()).tiers
    assert tier.sampler is not None
    assert len(tier.sampler.look(0.0)) <= 16


def test_whoever_has_the_model_from_the_start_is_found_at_once() -> None:
    made = large()
    load(made, 1234)
    one, reason = made.choose(the_pool(made), WISH, 0.0)
    assert (one.deployment.id, reason) == ("h1234", "loaded")


def test_what_was_sent_somewhere_is_remembered() -> None:
    made = large()
    first, reason = made.choose(the_pool(made), WISH, 0.0)
    assert reason == "idle"
    for moment in (0.1, 0.2, 0.3):
        assert made.choose(the_pool(made), WISH, moment) == (first, "loading")


def test_what_a_host_loads_by_itself_is_noticed_in_time() -> None:
    made = large()
    first, _ = made.choose(the_pool(made), WISH, 0.0)
    load(made, 777)
    made.fleet.at(first.deployment.api_base).online = False
    chosen = [made.choose(the_pool(made), WISH, 100.0 + number)[0].deployment.id for number in range(MANY)]
    assert chosen[-1] == "h777"


def test_what_a_host_drops_by_itself_is_not_believed() -> None:
    made = large()
    load(made, 5)
    assert made.choose(the_pool(made), WISH, 0.0)[0].deployment.id == "h5"
    load(made, 5, "x")
    load(made, 6)
    for number in range(MANY):
        made.choose(the_pool(made), WISH, 1000.0 + number)
    assert made.choose(the_pool(made), WISH, 9000.0)[0].deployment.id == "h6"


def test_a_conversation_is_kept_in_a_large_pool_too() -> None:
    made = large()
    for number in range(0, MANY, 2):
        load(made, number)
    first, _ = made.choose(the_pool(made), wish(session="s"), 0.0)
    for _ in range(20):
        made.choose(the_pool(made), WISH, 0.0)
        assert made.choose(the_pool(made), wish(session="s"), 0.0) == (first, "affinity")


def test_when_nobody_of_the_sample_will_do_all_are_looked_at() -> None:
    made = router(*(deployment(str(number)) for number in range(MANY)), draw=random.Random(1).random)
    for member in the_pool(made).members[:-1]:
        member.live.rests_until = 10.0
    assert made.choose(the_pool(made), WISH, 1.0)[0].deployment.id == str(MANY - 1)
