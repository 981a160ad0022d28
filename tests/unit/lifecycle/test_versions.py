"""Headers that name beta features: found, joined, and nothing else let through."""

from __future__ import annotations

import pytest

from pointsman.core.errors import Malformed
from pointsman.core.exchange import RequestHead
from pointsman.lifecycle.versions import versions_in, versions_of
from tests.unit.lifecycle.house_script import CHAT


def test_they_are_found_among_the_others() -> None:
    headers = [
        (b"host", b"x"),
        (b"openai-beta", b" responses=v1 "),
        (b"anthropic-beta", b"a"),
        (b"anthropic-beta", b"b"),
    ]
    assert versions_in(headers) == (("openai-beta", "responses=v1"), ("anthropic-beta", "a,b"))
    assert versions_in([(b"host", b"x"), (b"anthropic-beta", b"")]) == ()


@pytest.mark.parametrize("value", [b"a\x00b", b"\xff", b"a" * 1025, b"<script>"])
def test_what_is_no_list_of_names_is_refused(value: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        versions_in([(b"anthropic-beta", value)])
    assert caught.value.param == "anthropic-beta"


def test_requests_that_share_a_head_look_once() -> None:
    head = RequestHead(CHAT, b"", [(b"openai-beta", b"a")])
    assert versions_of(head) == (("openai-beta", "a"),)
    head.headers = []
    assert versions_of(head) == (("openai-beta", "a"),)
