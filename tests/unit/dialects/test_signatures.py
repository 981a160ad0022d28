from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.content import Thinking
from pointsman.dialects.signatures import ANTHROPIC, GEMINI, OPENAI, is_from, seal, unseal

SIGNERS = [ANTHROPIC, GEMINI, OPENAI]


@given(st.text(min_size=1), st.sampled_from(SIGNERS), st.sampled_from(SIGNERS), st.booleans())
def test_a_signature_comes_back_as_it_was_with_its_signer(text: str, signer: str, own: str, redacted: bool) -> None:
    sealed = seal(text, signer, own, redacted=redacted)
    found = unseal(Thinking("Hm", sealed, redacted=redacted), own)
    assert found == Thinking("Hm", text, redacted=redacted, signer=signer)


@pytest.mark.parametrize("own", SIGNERS)
def test_a_dialects_own_signature_stands_as_it_is(own: str) -> None:
    assert seal("EqQB", own, own) == seal("EqQB", None, own) == "EqQB"


@given(st.binary(min_size=1))
def test_a_sealed_signature_is_bytes_to_google_and_comes_back_in_its_other_alphabet(raw: bytes) -> None:
    sealed = seal(raw.hex(), ANTHROPIC, GEMINI)
    again = base64.urlsafe_b64encode(base64.b64decode(sealed, validate=True)).decode()
    assert unseal(Thinking("", again), GEMINI).signature == raw.hex()


@pytest.mark.parametrize(
    "text", ["cG9pbnRzbWFuOjE6", "cG9pbnRzbWFuOjE6YQ==", "cG9pbnRzbWFuOjE6!", "cG9pbnRzbWFuOjE6gA=="]
)
def test_what_only_looks_sealed_is_a_signature_like_any_other(text: str) -> None:
    assert unseal(Thinking("", text), ANTHROPIC) == Thinking("", text, signer=ANTHROPIC)


def test_only_the_signer_gets_a_signature_back() -> None:
    assert is_from(Thinking("", "s", signer=GEMINI), GEMINI) and not is_from(Thinking("", "s", signer=GEMINI), OPENAI)
    assert is_from(Thinking("", "s"), OPENAI) and not is_from(Thinking("Hm"), OPENAI)


def test_reasoning_without_a_signature_has_no_signer() -> None:
    assert unseal(Thinking("Hm"), ANTHROPIC) == Thinking("Hm")
