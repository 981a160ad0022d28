"""Which paths are ours, in LiteLLM's and OpenAI's and Azure's spelling, and whose everything else is."""

from __future__ import annotations

import pytest

from pointsman.core.upstream import Operation
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.server.paths import PathTable

TABLE = PathTable(dict.fromkeys(Operation, OpenAIDialect()))


@pytest.mark.parametrize("prefix", ["", "/v1", "/openai", "/openai/v1"])
@pytest.mark.parametrize(
    ("suffix", "operation"),
    [
        ("/chat/completions", Operation.CHAT),
        ("/completions", Operation.COMPLETION),
        ("/embeddings", Operation.EMBEDDING),
    ],
)
@pytest.mark.parametrize("form", ["{}", "{}?api-version=1", "{}?", "http://here:4000{}", "https://here{}?x=/y"])
def test_a_path_of_ours_is_found_in_every_form_of_a_target(
    prefix: str, suffix: str, operation: Operation, form: str
) -> None:
    found = TABLE.find(form.format(prefix + suffix).encode())
    assert found is not None
    route, model = found
    assert (route.operation, route.name, model) == (operation, suffix, None)


@pytest.mark.parametrize("prefix", ["/openai/deployments/", "/engines/", "/v1/engines/"])
@pytest.mark.parametrize(("written", "model"), [("gpt-4o", "gpt-4o"), ("a%2Fb", "a/b"), ("a/b", "a/b"), ("é", "é")])
def test_a_model_in_a_path_is_read_unescaped(prefix: str, written: str, model: str) -> None:
    target = f"{prefix}{written}/chat/completions?api-version=1".encode("latin-1")
    found = TABLE.find(target)
    assert found is not None and found[0].operation is Operation.CHAT and found[1] == model


@pytest.mark.parametrize(
    "target",
    [
        b"", b"/", b"*", b"/v1", b"/v1/models", b"/v1/chat/completions/", b"/v1/chat/completionsx",
        b"/V1/chat/completions", b"//v1/chat/completions", b"/v1//chat/completions",
        b"/v2/chat/completions", b"/v1/chat%2Fcompletions",
        b"/engines/chat/completions"[:-1], b"/engines//", b"/openai/deployments/m", b"/openai/deployments/m/images",
        b"/x?/v1/chat/completions", b"here:4000", b"http://here", b"ftp://here/v1/chat/completions",
        b"/v1/../v1/chat/completions",
    ],
)  # fmt: skip
def test_what_is_not_ours_is_somebody_elses(target: bytes) -> None:
    assert TABLE.find(target) is None


def test_what_is_documented_is_what_is_found() -> None:
    documented = TABLE.documented
    assert len(documented) == len(set(documented)) == 11 * 4 + 2 + 1 + 3 + 3 * 11
    for path, operation in documented:
        found = TABLE.find(path.replace("{model}", "m").encode())
        assert found is not None and found[0].operation is operation
        assert found[1] == ("m" if "{model}" in path else None)
