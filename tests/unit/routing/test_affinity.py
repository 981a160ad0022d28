"""What belongs together stays together, for a time."""

from __future__ import annotations

from typing import Any

from pointsman.routing.affinity import Affinity
from pointsman.routing.pool import Pool
from pointsman.routing.router import Router
from pointsman.routing.settings import AffinityRules
from tests.unit.routing.fleet_script import deployment, fleet, local, member, router, the_pool, wish


def rotating(*checks: str, **rules: Any) -> Router:
    affinity = AffinityRules(frozenset(checks), **rules)
    return router(*(deployment(one) for one in "abc"), strategy="round-robin", affinity=affinity)


def at(made: Router, now: float = 0.0, **asked: Any) -> tuple[str, str]:
    one, reason = made.choose(the_pool(made), wish(**asked), now)
    return one.deployment.id, reason


def said(*texts: str) -> dict[str, Any]:
    roles = ("system", *("user", "assistant") * len(texts))
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]}


class TestSessions:
    def test_a_session_stays_where_it_was(self) -> None:
        made = rotating("session_affinity")
        assert at(made, session="s") == ("a", "turn")
        assert at(made, session="t") == ("b", "turn")
        assert [at(made, session="s") for _ in range(3)] == [("a", "session")] * 3
        assert at(made)[1] == "turn"

    def test_of_another_key_it_is_another(self) -> None:
        made = rotating("session_affinity")
        assert at(made, session="s", key="k1")[0] == "a"
        assert at(made, session="s", key="k2") == ("b", "turn")

    def test_a_cache_that_is_named_is_a_session(self) -> None:
        made = rotating("session_affinity")
        assert at(made, body={"prompt_cache_key": "p"})[0] == at(made, body={"prompt_cache_key": "p"})[0] == "a"

    def test_it_ends_with_its_time_and_each_request_renews_it(self) -> None:
        made = rotating("session_affinity", seconds=100.0)
        assert at(made, 0.0, session="s")[0] == "a"
        assert at(made, 90.0, session="s") == ("a", "session")
        assert at(made, 180.0, session="s") == ("a", "session")
        assert at(made, 281.0, session="s")[1] == "turn"

    def test_whoever_had_to_be_served_elsewhere_returns_unless_it_repins(self) -> None:
        for repins, then in ((False, "a"), (True, "b")):
            made = rotating("session_affinity", repins=repins)
            assert at(made, session="s")[0] == "a"
            member(made, "a").live.rests_until = 5.0
            assert at(made, 1.0, session="s")[0] == "b"
            assert at(made, 6.0, session="s") == (then, "session")

    def test_only_models_that_are_named_may_have_it(self) -> None:
        rules: dict[str, Any] = {"by_group": {"g": frozenset({"session_affinity"}), "h": frozenset()}}
        assert the_pool(rotating(**rules)).stays == ("session_affinity",)
        assert the_pool(rotating("session_affinity", by_group={"g": frozenset()})).stays == ()


def test_a_key_stays_where_it_was() -> None:
    made = rotating("deployment_affinity")
    assert at(made, key="k")[0] == "a"
    assert at(made, key="l")[0] == "b"
    assert at(made, key="k") == ("a", "client")


def test_a_long_prompt_stays_where_its_beginning_is_cached() -> None:
    made = rotating("prompt_caching")
    first, second = said("be good", "hello"), said("be good", "hello", "hi", "more")
    assert at(made, prompt_tokens=2000, body=first)[0] == "a"
    assert at(made, prompt_tokens=2100, body=second) == ("a", "prompt_cache")
    assert at(made, prompt_tokens=2100, body=said("be bad", "hello"))[0] == "b"
    assert at(made, prompt_tokens=100, body=first)[1] == "turn", "too short to be cached anywhere"


class TestConversations:
    def made(self) -> Router:
        made = router(local("a"), local("b"))
        fleet(made, a={"loaded": ["m"]}, b={"loaded": ["m"]})
        return made

    def test_it_returns_to_the_host_that_has_read_it(self) -> None:
        made = self.made()
        member(made, "a").host.in_flight["m"] = 1  # type: ignore[union-attr]
        assert at(made, body=said("s", "q"))[0] == "b"
        member(made, "a").host.in_flight.clear()  # type: ignore[union-attr]
        assert at(made, body=said("s", "q", "a", "q2")) == ("b", "affinity")
        assert at(made, body=said("s", "other")) == ("a", "loaded")

    def test_but_not_if_it_would_have_to_wait_there(self) -> None:
        made = self.made()
        assert at(made, body=said("s", "q"))[0] == "a"
        member(made, "a").host.in_flight["m"] = 2  # type: ignore[union-attr]
        assert at(made, body=said("s", "q", "a", "q2"))[0] == "b"

    def test_a_long_one_waits_for_a_request_or_two(self) -> None:
        made = self.made()
        assert at(made, prompt_tokens=30_000, body=said("s", "q"))[0] == "a"
        member(made, "a").host.in_flight["m"] = 2  # type: ignore[union-attr]
        assert at(made, prompt_tokens=30_000, body=said("s", "q", "a", "q2")) == ("a", "affinity")

    def test_nor_if_the_host_has_dropped_the_model(self) -> None:
        made = self.made()
        assert at(made, body=said("s", "q"))[0] == "a"
        made.fleet.at("http://a").loaded = {"x": made.fleet.at("http://b").loaded["m"]}
        assert at(made, body=said("s", "q", "a", "q2"))[0] == "b"

    def test_every_dialect_has_a_beginning(self) -> None:
        for first, more in (
            ({"input": "hello"}, {"input": "hello"}),
            ({"system": "s", "messages": [{"role": "user", "content": "q"}]},
             {"system": "s", "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}),
            ({"contents": [{"role": "user", "parts": []}]},
             {"contents": [{"role": "user", "parts": []}, {"role": "model", "parts": []}]}),
        ):  # fmt: skip
            made = self.made()
            at(made, body=first)
            assert at(made, body=more)[1] == "affinity"

    def test_what_cannot_be_read_belongs_to_nothing(self) -> None:
        made = self.made()
        assert at(made, body={"messages": [1, 2]})[1] == "loaded"
        assert at(made, body={"messages": [1, 2]})[1] == "loaded"


def test_what_is_remembered_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr("pointsman.routing.affinity._PLACES_MAX", 3)
    made = router(local("a"), local("b"))
    pool: Pool = the_pool(made)
    book = Affinity(AffinityRules())
    for number in range(5):
        place = book.place(pool, wish(session=str(number)))
        assert place is not None
        book.keep(place, pool.members[0], 0.0)
    kept = [book.place(pool, wish(session=str(number))) for number in range(5)]
    assert [book.known(place, 1.0) is not None for place in kept if place] == [False, False, True, True, True]


def test_conversations_need_not_stay() -> None:
    made = router(local("a"), local("b"), affinity=AffinityRules(conversation_seconds=0.0))
    assert the_pool(made).stays == ()
