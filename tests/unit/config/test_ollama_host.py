"""``OLLAMA_HOST`` means to us what it means to Ollama."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.config.ollama_host import ollama_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("example.com", "http://example.com:11434"),
        ("example.com:1234", "http://example.com:1234"),
        (":1234", "http://127.0.0.1:1234"),
        ("http://example.com", "http://example.com:80"),
        ("https://example.com", "https://example.com:443"),
        ("HTTP://example.com:8080/", "http://example.com:8080"),
        ("https://example.com/ollama/", "https://example.com:443/ollama"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:99", "http://127.0.0.1:99"),
        ("http://0.0.0.0", "http://127.0.0.1:80"),
        ("[::]:99", "http://[::1]:99"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[2001:db8::1]:99", "http://[2001:db8::1]:99"),
        (" 'example.com' ", "http://example.com:11434"),
        ("example.com:99999", "http://example.com:11434"),
        ("example.com:x", "http://example.com:11434"),
        ("ollama.com", "https://ollama.com:443"),
        ("http://", "http://127.0.0.1:80"),
        ("", None),
        (' "" ', None),
    ],
)
def test_every_form_is_understood(text: str, address: str | None) -> None:
    assert ollama_address(text) == address


@pytest.mark.parametrize("text", ["ftp://x", "unix:///run/x", "user:pw@host", "http://a b", "http://x/?q", "a\nb"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        ollama_address(text)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = ollama_address(text)
    except ValueError:
        return
    assert address is None or ollama_address(address) == address
