"""Hints name what was probably meant, and never cost much."""

from __future__ import annotations

from itertools import count

from pointsman.catalog.suggest import KNOWN_MAX, nearest

KNOWN = ("ollama/llama3.1:8b", "ollama/qwen3:4b", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small")


def test_a_slip_of_the_pen_finds_its_word() -> None:
    assert nearest("gpt-4o-minni", KNOWN)[0] == "gpt-4o-mini"


def test_case_provider_and_tag_count_for_little() -> None:
    assert nearest("Llama3.1", KNOWN) == ("ollama/llama3.1:8b",)
    assert nearest("openai/gpt-4o", KNOWN)[0] == "gpt-4o"
    assert nearest("qwen3:32b", KNOWN) == ("ollama/qwen3:4b",)


def test_the_likeliest_comes_first_and_the_number_is_bounded() -> None:
    assert nearest("gpt-4o-mini-", KNOWN, count=1) == ("gpt-4o-mini",)
    assert nearest("gpt-4o-mini-", KNOWN) == ("gpt-4o-mini", "gpt-4o")


def test_what_resembles_nothing_gets_no_hint() -> None:
    assert nearest("zzzzzz", KNOWN) == ()
    assert nearest("", KNOWN) == ()
    assert nearest("gpt-4o", ()) == ()


def test_a_name_too_long_to_be_a_slip_gets_no_hint() -> None:
    assert nearest("x" * 97, ("x" * 97,)) == ()


def test_only_the_first_known_names_are_looked_at() -> None:
    asked: list[int] = []

    def endless() -> object:
        for number in count():
            asked.append(number)
            yield f"model-{number}"

    nearest("gpt-4o", endless())  # type: ignore[arg-type]
    assert len(asked) == KNOWN_MAX
