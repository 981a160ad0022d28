from __future__ import annotations

import pytest

from pointsman.core.address import without_address


@pytest.mark.parametrize(
    ("api_base", "text", "told"),
    [
        ("http://10.0.0.7:11434", "Cannot reach the upstream at http://10.0.0.7:11434: refused.", "… at it: refused."),
        ("http://10.0.0.7:8000/v1", "Cannot reach http://10.0.0.7:8000/v1: refused.", "Cannot reach it: refused."),
        ("http://[fd00::7]:80/v1", "Cannot reach the upstream at http://[fd00::7]/v1: refused.", "… at it: refused."),
        ("https://a.internal/v1", "Hostname mismatch, certificate is not valid for 'A.internal'.", "… for 'it'."),
        ("https://a.internal", "https://u:p@a.internal/x?y=1. Or a.internal:443, (a.internal).", "it. Or it, (it)."),
        ("https://a.internal", "Not https://a.internal.net, nor ba.internal, nor a.internal-b.", "unchanged"),
        ("http://ollama:11434", "Do: ollama pull x. At ollama:1, http://ollama.", "Do: ollama pull x. At it, it."),
        ("http://", "http://", "unchanged"),
        ("http://[", "http://[", "unchanged"),
    ],
)  # fmt: skip
def test_the_host_is_named_by_what_it_serves(api_base: str, text: str, told: str) -> None:
    found = without_address(text, api_base, "it")
    if told == "unchanged":
        assert found == text
    else:
        assert found.endswith(told.removeprefix("…"))
