"""Where Google takes which request."""

from __future__ import annotations

import pytest

from pointsman.core.access import GoogleAccess
from pointsman.core.errors import Malformed, Misconfigured, Rejected
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment
from pointsman.providers.google.places import VertexPlace, family_of, gemini_root, model_in_vertex, vertex_base
from pointsman.providers.tokens import FixedCredential

HOST = "https://europe-west4-aiplatform.googleapis.com"


def deployment(model: str, base: str = HOST) -> Deployment:
    return Deployment("d", "m", "vertex_ai", model, f"vertex_ai/{model}", base, None)


def place(model: str, base: str = HOST, project: str | None = "p") -> VertexPlace:
    access = GoogleAccess(project, "europe-west4")
    return VertexPlace(deployment(model, base), access, FixedCredential(Secret("t")))


@pytest.mark.parametrize(
    ("location", "base"),
    [
        (None, "https://us-central1-aiplatform.googleapis.com"),
        ("europe-west4", HOST),
        ("global", "https://aiplatform.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_a_location_has_a_host(location: str | None, base: str) -> None:
    assert vertex_base(location) == base


@pytest.mark.parametrize("location", ["evil.example/", "a b", "-x", "US"])
def test_a_location_never_names_another_host(location: str) -> None:
    with pytest.raises(Misconfigured, match="vertex_location"):
        vertex_base(location)


@pytest.mark.parametrize(
    ("model", "family", "told"),
    [
        ("gemini-2.5-pro", "gemini", "gemini-2.5-pro"),
        ("claude-opus-4-5@20251101", "anthropic", "claude-opus-4-5@20251101"),
        ("meta/llama-4-maas", "openapi", "meta/llama-4-maas"),
        ("openapi/1234", "openapi", "1234"),
        ("openai/1234", "openapi", ""),
        ("openai/gpt-oss-20b-maas", "openapi", "openai/gpt-oss-20b-maas"),
        ("deepseek-ai/deepseek-v3.1-maas", "openapi", "deepseek-ai/deepseek-v3.1-maas"),
        ("mistral-large-2411@001", "mistralai", "mistral-large-2411"),
        ("codestral-2501", "mistralai", "codestral-2501"),
        ("jamba-1.5-mini@001", "ai21", "jamba-1.5-mini"),
    ],
)
def test_a_models_name_tells_its_dialect(model: str, family: str, told: str) -> None:
    assert (family_of(deployment(model)), model_in_vertex(deployment(model))) == (family, told)


def test_paths_of_models() -> None:
    root = b"/v1/projects/p/locations/europe-west4"
    one = place("gemini-2.5-pro")
    assert one.model_path(deployment("gemini-2.5-pro"), "x") == root + b"/publishers/google/models/gemini-2.5-pro:x"
    assert one.model_path(deployment("gemini/42"), "x") == root + b"/endpoints/42:x"
    assert place("meta/llama").chat_path(stream=True) == root + b"/endpoints/openapi/chat/completions"
    own = b"/v1beta1/projects/p/locations/europe-west4/endpoints/1234/chat/completions"
    assert place("openai/1234").chat_path(stream=False) == own
    assert place("jamba@1").chat_path(stream=True) == root + b"/publishers/ai21/models/jamba@1:streamRawPredict"
    assert (
        place("gemini-2.5-pro", "https://proxy/v1")
        .model_path(deployment("a/b"), "x")
        .startswith(b"/projects/p/locations/europe-west4/publishers/google/models/a%2Fb")
    )
    with pytest.raises(Malformed, match="segment"):
        one.model_path(deployment("a/../b"), "x")
    with pytest.raises(Malformed, match="segment"):
        place("openai/..").chat_path(stream=False)


def test_without_a_project_there_is_no_path() -> None:
    with pytest.raises(Rejected, match="No project") as refused:
        place("gemini-2.5-pro", project=None).model_path(deployment("gemini-2.5-pro"), "x")
    assert "vertex_project" in (refused.value.hint or "")


def test_the_version_of_geminis_api_is_put_in_where_it_is_missing() -> None:
    assert gemini_root("https://generativelanguage.googleapis.com") == "/v1beta"
    assert gemini_root("https://proxy/gemini/v1beta") == ""
