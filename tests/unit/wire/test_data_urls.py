from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.wire.base64_text import read_base64
from pointsman.wire.data_urls import is_data_url, read_data_url


@given(st.binary(min_size=1, max_size=40))
def test_what_is_base64_is_given_back(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    assert read_base64(text, "p") == text
    assert read_data_url(f"data:Image/PNG;base64,{text}", "p") == ("image/png", text)


@given(st.text(st.characters(exclude_categories=["L", "N"], exclude_characters="+/"), max_size=40))
def test_anything_else_is_malformed_and_names_its_place(text: str) -> None:
    for read in (read_base64, read_data_url):
        with pytest.raises(Malformed, match=r"p\.q ") as caught:
            read(text, "p.q")
        assert caught.value.param == "p.q"


@pytest.mark.parametrize(("text", "expected"), [("DATA:,", True), ("https://x", False), ("dat", False)])
def test_a_data_url_is_known_by_its_beginning(text: str, expected: bool) -> None:
    assert is_data_url(text) is expected
