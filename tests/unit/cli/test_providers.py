"""``pointsman providers`` says who can be asked and what is missing for it, and never what a variable holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pointsman.cli.main import cli
from pointsman.core.errors import Misconfigured
from pointsman.providers.overview import overviews
from pointsman.providers.registry import providers

SECRET = "gsk-very-secret-value"


def run(*arguments: str, **environment: str) -> Result:
    cleared = {name: "" for row in providers().values() for name in (*row.keys, *row.bases, *row.needs)}
    return CliRunner().invoke(cli, ["providers", *arguments], env={**cleared, **environment})


def listed(**environment: str) -> dict[str, str]:
    lines = run(**environment).output.splitlines()
    return {line.removeprefix("✓ ").strip().split(",")[0].split()[0]: line for line in lines if line.strip()}


def test_every_prefix_is_listed_once() -> None:
    shown = [prefix for one in overviews({}) for prefix in one.prefixes]
    assert sorted(shown) == sorted(providers())
    lines = run().output.splitlines()
    assert len(lines) == len(overviews({})) + 3
    assert any("ollama, ollama_chat" in line for line in lines)


def test_a_key_that_is_set_makes_its_provider_ready_and_is_not_shown() -> None:
    done = run(GROQ_API_KEY=SECRET)
    assert done.exit_code == 0 and SECRET not in done.output
    lines = listed(GROQ_API_KEY=SECRET)
    assert lines["groq"].startswith("✓ ") and "GROQ_API_KEY (set)" in lines["groq"]
    assert lines["deepseek"].startswith("  ") and "DEEPSEEK_API_KEY (not set)" in lines["deepseek"]
    assert lines["hosted_vllm"].startswith("✓ ") and "not needed" in lines["hosted_vllm"]


def test_an_address_that_needs_a_variable_is_not_ready_without_it() -> None:
    lines = listed(CLOUDFLARE_API_KEY=SECRET)
    assert lines["cloudflare"].startswith("  ") and "CLOUDFLARE_ACCOUNT_ID (not set)" in lines["cloudflare"]
    assert listed(CLOUDFLARE_API_KEY=SECRET, CLOUDFLARE_ACCOUNT_ID="a1")["cloudflare"].startswith("✓ ")


def test_one_provider_is_told_in_full() -> None:
    text = run("xai", XAI_API_BASE="https://user:hidden@own").output
    for said in (
        "xAI",
        "xai/MODEL",
        "chat, responses, images",
        "https://api.x.ai/v1",
        "XAI_API_KEY (not set)",
        "XAI_API_BASE (set)",
        "max_completion_tokens is sent as max_tokens",
        "the same for grok-4*: stop, frequency_penalty",
        "developer messages are sent as system messages",
    ):
        assert said in text
    assert "hidden" not in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cohere_chat", "cohere/MODEL or cohere_chat/MODEL"),
        ("mistral/", "its own dialect (mistral)"),
        ("hosted_vllm", "on your own machine"),
        ("oobabooga", "none of its own: set api_base"),
        ("perplexity", "reasoning of earlier turns is not sent back"),
        ("groq", "refused, or dropped with drop_params: logit_bias, logprobs, top_logprobs"),
        ("groq", "reasoning of earlier turns is sent back as reasoning"),
        ("cerebras", "never sent: metadata, service_tier, store"),
        ("vllm", "litellm_params.api_key only"),
    ],
)
def test_what_is_special_about_a_provider_is_told(name: str, said: str) -> None:
    assert said in run(name).output


def test_json_is_for_programs() -> None:
    every: list[dict[str, Any]] = json.loads(run("--json", GROQ_API_KEY=SECRET).output)
    groq = next(one for one in every if one["prefixes"] == ["groq"])
    assert groq["ready"] is True and groq["key_variables"] == [{"name": "GROQ_API_KEY", "is_set": True}]
    assert json.loads(run("groq", "--json", GROQ_API_KEY=SECRET).output) == groq


@pytest.mark.parametrize(
    ("name", "hint"), [("grok", "Did you mean 'groq'?"), ("qqqqqqqq", "lists them"), ("watsonx_text", "[litellm]")]
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, hint: str) -> None:
    done = run(name)
    assert isinstance(done.exception, Misconfigured) and hint in (done.exception.hint or "")
