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


@pytest.mark.parametrize("prefix", ["/v1beta/", "/v1/", "/v1alpha/", "/gemini/v1beta/", "/gemini/v1/"])
@pytest.mark.parametrize("form", ["models/{}:{}", "models/{}%3A{}"])
@pytest.mark.parametrize("model", ["gemini-2.5-flash", "org/model", "llama3.1:8b"])
def test_geminis_verbs_follow_the_model(prefix: str, form: str, model: str) -> None:
    for verb, query, operation in (
        ("generateContent", "", Operation.GEMINI_CHAT),
        ("generateContent", "?key=k", Operation.GEMINI_CHAT),
        ("streamGenerateContent", "?alt=sse", Operation.GEMINI_STREAM),
        ("streamGenerateContent", "?key=k&alt=SSE", Operation.GEMINI_STREAM),
        ("streamGenerateContent", "", Operation.GEMINI_ARRAY_STREAM),
        ("streamGenerateContent", "?alt=json", Operation.GEMINI_ARRAY_STREAM),
        ("embedContent", "", Operation.GEMINI_EMBED),
        ("batchEmbedContents", "", Operation.GEMINI_BATCH_EMBED),
    ):
        found = TABLE.find((prefix + form.format(model, verb) + query).encode())
        assert found is not None and (found[0].operation, found[1]) == (operation, model)


def test_a_tuned_model_keeps_its_kind() -> None:
    found = TABLE.find(b"/v1beta/tunedModels/mine:generateContent")
    assert found is not None and found[1] == "tunedModels/mine"


@pytest.mark.parametrize(
    "target",
    [
        b"/v1beta/models/m:countTokens",
        b"/v1beta/models/m",
        b"/v1beta/models/:generateContent",
        b"/v1beta/m:generateContent",
    ],
)
def test_other_paths_of_geminis_are_somebody_elses(target: bytes) -> None:
    assert TABLE.find(target) is None


def test_what_is_documented_is_what_is_found() -> None:
    documented = TABLE.documented
    assert len(documented) == len(set(documented)) == 12 * 4 + 2 + 4 + 3 + 3 * 12 + 5 * 4
    for path, operation in documented:
        found = TABLE.find(path.replace("{model}", "m").encode())
        array = operation is Operation.GEMINI_STREAM  # asked without alt=sse
        assert found is not None and found[0].operation is (Operation.GEMINI_ARRAY_STREAM if array else operation)
        assert found[1] == ("m" if "{model}" in path else None)


PASSING = PathTable(
    dict.fromkeys(Operation, OpenAIDialect()),
    {"anthropic": OpenAIDialect(), "gemini": OpenAIDialect()},
    ("/anthropic/v1/count", "/gemini/v1/models/{model:path}:countTokens", "/anthropic/x/{id}"),
)


@pytest.mark.parametrize(
    ("target", "rest"),
    [
        (b"/anthropic/v1/files", "anthropic/v1/files"),
        (b"/anthropic/v1/files?a=1&b", "anthropic/v1/files?a=1&b"),
        (b"http://evil.example/anthropic/v1/files", "anthropic/v1/files"),
        (b"/anthropic/v1/messages/batches", "anthropic/v1/messages/batches"),
        (b"/anthropic/x/1/2", "anthropic/x/1/2"),
        (b"/gemini/v1beta/files", "gemini/v1beta/files"),
    ],
)
def test_a_providers_own_api_is_below_its_name(target: bytes, rest: str) -> None:
    found = PASSING.find(target)
    assert found is not None and found[0].operation is Operation.PASS_THROUGH
    assert found[1] == rest and b"DELETE" in found[0].methods and found[0].key_in_query


@pytest.mark.parametrize(
    ("target", "operation"),
    [
        (b"/anthropic/v1/messages", Operation.MESSAGES),
        (b"/gemini/v1/models/m:generateContent", Operation.GEMINI_CHAT),
        (b"/openai/v1/chat/completions", Operation.CHAT),
    ],
)
def test_what_is_served_here_is_not_passed_on(target: bytes, operation: Operation) -> None:
    found = PASSING.find(target)
    assert found is not None and found[0].operation is operation and found[0].methods == {b"POST"}


@pytest.mark.parametrize(
    "target",
    [
        b"/anthropic", b"/anthropic/", b"/anthropic/v1/count", b"/anthropic/v1/%63ount",
        b"/gemini/v1/models/a/b:countTokens",
        b"/anthropic/x/1", b"/openai/v1/files", b"//anthropic/v1/files", b"/Anthropic/v1/files",
    ],
)  # fmt: skip
def test_what_is_somebody_elses_is_not_passed_on(target: bytes) -> None:
    assert PASSING.find(target) is None
