"""No request says where it goes; what is for the gateway is taken out of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.config.request_fields import FOR_THE_GATEWAY, OPERATORS
from pointsman.core.errors import Malformed
from pointsman.core.rules import ParameterRules, RoutingRules
from pointsman.core.upstream import Ask, Operation
from pointsman.policies.parameters import take_rules


def asked(**fields: Any) -> Ask:
    raws = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}
    return Ask(Operation.CHAT, "m", raws)


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_what_is_the_operators_is_refused_by_name(name: str) -> None:
    with pytest.raises(Malformed) as caught:
        take_rules(asked(model="m", **{name: "http://169.254.169.254/"}))
    assert caught.value.param == name and caught.value.status == 400
    assert "169.254" not in caught.value.told()


def test_a_null_says_nothing_and_is_not_sent_on() -> None:
    ask = asked(model="m", api_base=None)
    take_rules(ask)
    assert list(ask.fields) == ["model"]


_SOME = {"allowed_model_region": "eu", "num_retries": 1, "disable_fallbacks": True, "include_fallback_errors": True}
_SOME |= dict.fromkeys((name for name in FOR_THE_GATEWAY if name.startswith("mock_testing_")), True)


@pytest.mark.parametrize("name", sorted(FOR_THE_GATEWAY))
def test_what_is_for_the_gateway_is_not_sent_on(name: str) -> None:
    ask = asked(model="m", **{name: _SOME.get(name, ["a"])})
    before = ask.fields
    take_rules(ask)
    assert list(ask.fields) == ["model"] and name in before


def test_the_rules_are_read() -> None:
    ask = asked(drop_params=True, additional_drop_params=["a", "b[*].c"], allowed_openai_params=["d"], temperature=1)
    take_rules(ask)
    assert ask.rules == ParameterRules(True, ("a", "b[*].c"), ("d",)) and list(ask.fields) == ["temperature"]


@pytest.mark.parametrize(
    ("name", "limit"),
    [("max_tokens", None), ("max_completion_tokens", None), ("options.num_predict", None),
     ("generationConfig.maxOutputTokens", None), ("top_p", 5), ("tools[*].strict", 5)],
)  # fmt: skip
def test_a_bound_that_is_dropped_is_not_what_is_reserved_for(name: str, limit: int | None) -> None:
    ask = asked(additional_drop_params=[name])
    ask.output_limit = 5
    take_rules(ask)
    assert ask.output_limit == limit


def test_most_requests_are_not_touched() -> None:
    ask = asked(model="m", messages=[])
    fields = ask.fields
    take_rules(ask)
    assert ask.fields is fields and ask.rules is None


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("drop_params", "yes", "drop_params"),
        ("additional_drop_params", "temperature", "additional_drop_params"),
        ("additional_drop_params", ["a", 1], "additional_drop_params[1]"),
        ("allowed_openai_params", [""], "allowed_openai_params[0]"),
        ("additional_drop_params", ["a"] * 65, "additional_drop_params"),
        ("additional_drop_params", ["a.b"] * 17, "additional_drop_params"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_path(field: str, value: Any, param: str) -> None:
    with pytest.raises(Malformed) as caught:
        take_rules(asked(**{field: value}))
    assert caught.value.param == param


def test_no_path_leads_through_a_field_that_takes_long_to_read() -> None:
    edge = 1024 * 1024 - 2
    take_rules(asked(tools="x" * edge, additional_drop_params=["tools[*].x", "messages.x"]))
    with pytest.raises(Malformed, match="too long to look into"):
        take_rules(asked(tools="x" * (edge + 1), additional_drop_params=["tools[*].x"]))
    take_rules(asked(tools="x" * (edge + 1), additional_drop_params=["tools"]))


class TestOwnWay:
    """What a request says of its tags and its session."""

    @pytest.mark.parametrize(
        ("fields", "tags"),
        [
            ({"tags": ["a", "b"]}, ("a", "b")),
            ({"tags": "a"}, ("a",)),
            ({"metadata": {"tags": ["a"]}}, ("a",)),
            ({"litellm_metadata": {"tags": ["a"]}}, ("a",)),
            ({"tags": ["a"], "metadata": {"tags": ["b", "a"]}}, ("a", "b")),
            ({"metadata": {"tags": "no list"}}, ()),
            ({"metadata": {"tags": [1]}}, ()),
            ({"metadata": ["no map"]}, ()),
            ({"metadata": {"tags": ["", "x" * 600]}}, ()),
        ],
    )
    def test_tags(self, fields: dict[str, Any], tags: tuple[str, ...]) -> None:
        ask = asked(**fields)
        take_rules(ask)
        assert ask.routing is not None
        assert ask.routing.tags == tags

    @pytest.mark.parametrize(
        ("fields", "session"),
        [
            ({"litellm_session_id": "s"}, "s"),
            ({"metadata": {"session_id": "s"}}, "s"),
            ({"litellm_metadata": {"session_id": "s"}}, "s"),
            ({"metadata": {"user_id": "user_1_account_2_session_3"}}, "user_1_account_2_session_3"),
            ({"metadata": {"user_id": "somebody"}}, None),
            ({"metadata": {"session_id": 7}}, None),
            ({"litellm_session_id": "s", "metadata": {"session_id": "t"}}, "s"),
        ],
    )
    def test_session(self, fields: dict[str, Any], session: str | None) -> None:
        ask = asked(**fields)
        take_rules(ask)
        assert ask.routing is not None
        assert ask.routing.session == session

    def test_headers_are_added_to(self) -> None:
        ask = asked(tags=["a"], metadata={"session_id": "s"})
        ask.routing = RoutingRules(tags=("b", "a"), session="from a header", num_retries=3)
        take_rules(ask)
        assert ask.routing == RoutingRules(tags=("a", "b"), session="s", num_retries=3)

    def test_headers_count_where_the_body_says_nothing(self) -> None:
        ask = asked(temperature=1)
        ask.routing = rules = RoutingRules(tags=("b",))
        take_rules(ask)
        assert ask.routing is rules

    @pytest.mark.parametrize(
        ("metadata", "left"),
        [
            ({"tags": ["a"], "mine": "x"}, {"mine": "x"}),
            ({"tags": ["a"]}, None),
            ({"tags": "a text", "user_id": "u"}, {"tags": "a text", "user_id": "u"}),
            ("no map", "no map"),
        ],
    )
    def test_an_upstream_gets_its_metadata_without_our_tags(self, metadata: object, left: object) -> None:
        ask = asked(metadata=metadata, temperature=1)
        take_rules(ask)
        assert (msgspec.json.decode(ask.fields["metadata"]) if "metadata" in ask.fields else None) == left
