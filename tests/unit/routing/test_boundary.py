"""A conversation with encrypted reasoning stays where that can be read, with nothing remembered."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from pointsman.core.errors import Rejected
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.policies.former_reasoning import forget_reasoning
from pointsman.routing.boundary import BOUND_REASONING
from pointsman.routing.recovery import Again
from pointsman.routing.router import Router
from pointsman.routing.settings import AffinityRules
from pointsman.routing.wish import Wish
from tests.unit.routing.fleet_script import deployment, member, router, the_pool, wish

BOUND = AffinityRules(checks=frozenset({BOUND_REASONING}))


def account(identity: str, name: str, **values: Any) -> Deployment:
    return deployment(identity, api_base=f"http://{name}", api_key=Secret(f"key-of-{name}"), **values)


def turn(question: str, *more: str, operation: Operation = Operation.RESPONSES) -> Wish:
    texts = [{"role": "user", "content": text} for text in (question, *more)]
    return wish(body={"input": texts}, operation=operation)


def made(**values: Any) -> Router:
    fleet = (account("a1", "a"), account("a2", "a"), account("b1", "b"), account("c1", "c", **values))
    return router(*fleet, strategy="round-robin", affinity=BOUND)


def chosen(one: Router, asked: Wish) -> str:
    return one.choose(the_pool(one), asked, 0.0)[0].deployment.id


def test_all_turns_go_to_one_account_in_every_process() -> None:
    places = {}
    for number in range(60):
        question = f"question {number}"
        first = {chosen(made(), turn(question)) for _ in range(3)}
        later = {chosen(made(), turn(question, "and then?")) for _ in range(3)}
        assert len({name[0] for name in first | later}) == 1
        places[question] = first.pop()[0]
    counts = Counter(places.values())
    assert set(counts) == {"a", "b", "c"} and counts["a"] > counts["b"], "by weight, of which a has two"
    one = made()
    two = {chosen(one, turn("question 0")) for _ in range(4)} | {chosen(one, turn("question 1")) for _ in range(4)}
    assert two <= {"a1", "a2", "b1", "c1"}


def test_within_an_account_the_strategy_picks() -> None:
    one = made()
    question = next(text for text in map(str, range(50)) if chosen(one, turn(text)).startswith("a"))
    assert {chosen(one, turn(question)) for _ in range(4)} == {"a1", "a2"}


def test_whose_account_rests_goes_elsewhere_and_comes_back() -> None:
    one = made()
    question = next(text for text in map(str, range(50)) if chosen(one, turn(text)) == "b1")
    member(one, "b1").live.rests_until = 10.0
    assert chosen(one, turn(question)) != "b1"
    member(one, "b1").live.rests_until = 0.0
    assert chosen(one, turn(question)) == "b1"


def test_others_are_spread_as_ever() -> None:
    one = made()
    assert len({chosen(one, turn("hello", operation=Operation.CHAT)) for _ in range(8)}) == 4
    free = router(account("a1", "a"), account("b1", "b"), strategy="round-robin")
    assert len({chosen(free, turn("hello")) for _ in range(4)}) == 2


def test_who_cannot_read_it_is_asked_once_more_without_it() -> None:
    one = made()
    recovery = one.recovery(None, "g")
    error = Rejected("cannot be verified", status=400, code="invalid_encrypted_content")
    failed = member(one, "a1").deployment
    assert recovery.next(error, the_pool(one), failed) == Again(0.0) and recovery.forgets
    assert not recovery.tried, "the same one may serve it now"
    assert recovery.next(error, the_pool(one), failed) is None
    free = router(account("a1", "a"), account("b1", "b"))
    assert free.recovery(None, "g").next(error, the_pool(free), failed) is None, "where nobody asked for it"


def test_reasoning_goes_and_what_was_said_stays() -> None:
    items = [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "opaque"},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"},
    ]
    ask = Ask(Operation.RESPONSES, "m", {"input": msgspec.Raw(msgspec.json.encode(items))})
    forget_reasoning(ask)
    assert msgspec.json.decode(ask.fields["input"]) == [
        {"role": "user", "content": "hi"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    ]
    for untouched in (b'"hi"', b'[{"role":"user","content":"hi","id":"m_1"}]'):
        ask = Ask(Operation.RESPONSES, "m", {"input": msgspec.Raw(untouched)})
        forget_reasoning(ask)
        assert bytes(ask.fields["input"]) == untouched


def test_a_pattern_says_it_of_the_models_that_it_fits() -> None:
    by_pattern = AffinityRules(by_group={"openai/*": frozenset({BOUND_REASONING})})
    both = (deployment("a", group="openai/x"), deployment("b", group="mine"))
    one = router(*both, affinity=by_pattern)
    assert [the_pool(one, name).binds_reasoning for name in ("openai/x", "mine")] == [True, False]
