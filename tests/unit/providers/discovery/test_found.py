from __future__ import annotations

import pytest

from pointsman.core.errors import Misconfigured
from pointsman.providers.discovery import Place, default_places, ollama_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        (":11435", "http://127.0.0.1:11435"),
        ("", "http://127.0.0.1:11434"),
        ("[::]:11434", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("gpu.lan", "http://gpu.lan:11434"),
        ("http://gpu.lan", "http://gpu.lan"),
        ("https://gpu.lan", "https://gpu.lan"),
        ("https://gpu.lan:8443/ollama/", "https://gpu.lan:8443/ollama"),
        (' "gpu.lan:1" ', "http://gpu.lan:1"),
        ("gpu.lan:99999", "http://gpu.lan:11434"),
        ("ollama.com", "https://ollama.com"),
    ],
)
def test_an_ollama_host_means_the_url_that_ollamas_own_client_would_use(text: str, url: str) -> None:
    assert ollama_url(text) == url


@pytest.mark.parametrize("text", ["ftp://x", "http://[::1%x y]", "user:pw@host", "http://a b"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="is not the address of an Ollama"):
        ollama_url(text)


def test_given_ollama_hosts_replace_the_default_one() -> None:
    assert default_places()[0] == Place("http://127.0.0.1:11434", "ollama")
    places = default_places(("gpu1", "gpu2:1"))
    assert places[:2] == (
        Place("http://gpu1:11434", "ollama", given=True),
        Place("http://gpu2:1", "ollama", given=True),
    )
    assert [place.url.rpartition(":")[2] for place in places[2:]] == ["1234", "8080", "8000", "30000"]
