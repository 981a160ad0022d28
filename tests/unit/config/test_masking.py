"""Secrets are told by the name of their field and by what they look like; what is none is left as it is."""

from __future__ import annotations

import pytest

from pointsman.config.masking import MASK, is_secret_field, looks_secret, mask, masked


@pytest.mark.parametrize(
    "name",
    [
        "api_key", "apiKey", "OPENAI_API_KEY", "aws_secret_access_key", "client_secret", "password", "token", "key",
        "vertex_credentials", "azure_ad_token", "authorization", "session_token", "private_key", "webhook_url", "pin",
        "refresh_token", "DATABASE_URL", "secret", "x-api-key", "set-cookie",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_field(name)


@pytest.mark.parametrize(
    "name",
    [
        "model", "max_tokens", "tpm_limit", "key_alias", "key_name", "team_id", "credential_name", "tokens", "monkey",
        "api_base", "aws_region_name", "keepalive_seconds", "token_count", "prompt_tokens", "metadata",
        "litellm_credential_name", "public_key", "credential_info",
    ],
)  # fmt: skip
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_field(name)


@pytest.mark.parametrize(
    "text",
    [
        "sk-0123456789abcdef", "here: sk-proj-abcdefgh12345678 it is", "AKIA" + "ABCDEFGHIJKLMNOP", "ghp_" + "a" * 36,
        "AIza" + "SyA1234567890abcdefghijklmnopqrstuv", "Bearer abcdefgh.ijkl", "http://user:hunter2@host/",
        "https://h/?key=abc", "-----BEGIN RSA PRIVATE KEY-----", "eyJhbGciOiJI.eyJzdWIiOiIx.abc", "hvs.CAESIG52gL6",
        "Q2hlY2tUaGlzT3V0MTIzNDU2Nzg5MEFCQ0RFRg==", "gsk_abcdefgh1234",
    ],
)  # fmt: skip
def test_shapes_of_secrets(text: str) -> None:
    assert looks_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "gpt-4o-mini", "ollama_chat/llama3.1:8b", "http://localhost:11434/v1", "2026-01-31T12:00:00.000Z",
        "7feedd85-d8ec-41be-aa48-70d6d5992914", "a" * 64, "sk-...abcd", "us.anthropic.claude-sonnet-4-20250514-v1:0",
        "LiteLLM_VerificationToken", "a plain sentence about tokens and keys", "", "Meta-Llama-3.1-405B-Instruct-Turbo",
    ],
)  # fmt: skip
def test_shapes_of_other_things(text: str) -> None:
    assert not looks_secret(text)


def test_a_mask_shows_at_most_the_ends() -> None:
    assert mask("sk-0123456789abcdef") == "sk****ef"
    assert mask("short") == MASK


def test_values_are_masked_however_deep() -> None:
    given = {
        "model": "openai/gpt-4o",
        "api_key": "sk-0123456789abcdef",
        "extra_headers": {"X-Team": "research-and-development"},
        "nested": [{"password": "hunter2", "rpm": 5, "ok": True}],
        "token": "a" * 64,
        "note": "use sk-0123456789abcdef for it",
        "nothing": None,
    }
    assert masked(given) == {
        "model": "openai/gpt-4o",
        "api_key": "sk****ef",
        "extra_headers": {"X-Team": "re****nt"},
        "nested": [{"password": MASK, "rpm": 5, "ok": True}],
        "token": "a" * 64,
        "note": "us****it",
        "nothing": None,
    }


def test_what_is_nested_too_deep_is_masked_as_a_whole() -> None:
    value: object = "plain"
    for _ in range(100):
        value = [value]
    assert "plain" not in str(masked(value))
