"""Headers by which a request says of its way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.core.rules import RoutingRules
from pointsman.lifecycle.routing_headers import routing_in


def test_most_requests_say_nothing() -> None:
    assert routing_in([(b"content-type", b"application/json"), (b"x-litellm-tags", b" , ")]) is None


def test_tags_are_a_list_with_commas_in_one_header_or_several() -> None:
    headers = [(b"x-litellm-tags", b"free, paid"), (b"x-litellm-tags", b"!slow")]
    assert routing_in(headers) == RoutingRules(tags=("free", "paid", "!slow"))


def test_a_session_has_a_name() -> None:
    assert routing_in([(b"x-litellm-session-id", b" s1 ")]) == RoutingRules(session="s1")


def test_too_many_tags_are_refused() -> None:
    with pytest.raises(Malformed) as refused:
        routing_in([(b"x-litellm-tags", b",".join([b"t"] * 65))])
    assert refused.value.param == "x-litellm-tags"


@given(st.lists(st.tuples(st.sampled_from([b"x-litellm-tags", b"x-litellm-session-id"]), st.binary(max_size=400))))
def test_any_bytes_are_read_or_refused(headers: list[tuple[bytes, bytes]]) -> None:
    try:
        rules = routing_in(headers)
    except Malformed:
        return
    assert rules is None or rules.tags or rules.session
