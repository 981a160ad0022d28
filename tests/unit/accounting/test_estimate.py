"""Token estimates: near enough to reserve by, cheap and bounded."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.accounting.estimate import estimate_body, estimate_text

ENGLISH = "The quick brown fox jumps over the lazy dog near the quiet river bank. "
RUSSIAN = "Съешь ещё этих мягких французских булок, да выпей чаю. "
CHINESE = "人工智能正在改变我们的生活方式"
KOREAN = "인공지능이우리의삶을바꾸고있습니다"


def body(text: str, *, ascii_only: bool = False) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}, ensure_ascii=ascii_only).encode()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), (ENGLISH, 18), (RUSSIAN, 14), (CHINESE, 10), (KOREAN, 12)],
)
def test_text_is_counted_by_its_script(text: str, tokens: int) -> None:
    assert estimate_text(text) == tokens


@given(st.text(min_size=1))
def test_any_text_is_at_least_one_token_and_at_most_one_a_character_and_one_more(text: str) -> None:
    assert 1 <= estimate_text(text) <= len(text) + 1


def test_a_huge_text_is_sampled_and_still_estimated_well() -> None:
    mixed = (ENGLISH * 20 + CHINESE * 20) * 100
    exact = estimate_text(ENGLISH * 2000) + estimate_text(CHINESE * 2000)
    assert abs(estimate_text(mixed) - exact) < exact * 0.1


def test_a_body_counts_its_text_and_its_few_other_characters() -> None:
    text = ENGLISH * 10
    estimate = estimate_body(body(text))
    assert estimate_text(text) <= estimate <= estimate_text(text) + 20


@pytest.mark.parametrize("text", [CHINESE * 30, RUSSIAN * 30])
def test_the_bytes_of_other_scripts_are_not_counted_as_characters(text: str) -> None:
    estimate = estimate_body(body(text))
    assert estimate_text(text) * 0.9 <= estimate <= estimate_text(text) * 1.2 + 20


def test_escaped_text_is_estimated_on_the_safe_side() -> None:
    assert estimate_body(body(CHINESE * 10, ascii_only=True)) >= estimate_text(CHINESE * 10)


@pytest.mark.parametrize("words", ["What is this?", "Was heißt das für mich?"])
def test_an_image_counts_by_the_piece_and_not_by_its_size(words: str) -> None:
    def with_images(size: int) -> bytes:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * size}}
        parts = [{"type": "text", "text": words}, image, image]
        return json.dumps({"messages": [{"role": "user", "content": parts}]}, ensure_ascii=False).encode()

    small, large = estimate_body(with_images(20_000)), estimate_body(with_images(2_000_000))
    assert 2000 <= small <= 2200
    assert abs(large - small) <= 5


def test_a_data_address_that_never_ends_is_survived() -> None:
    assert estimate_body(b'{"x":"data:;base64,' + b"A" * 50_000) <= 1100


@given(st.binary(max_size=20_000))
def test_no_body_is_too_strange_and_none_is_free(data: bytes) -> None:
    assert 1 <= estimate_body(data) <= len(data) * 1001 + 2
