"""``pointsman providers``, as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

SECRET = "gsk-never-to-be-seen"


def typed(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_API_BASE"))}
    command = [sys.executable, "-m", "pointsman", "providers", *arguments]
    return subprocess.run(
        command, env={**environment, **variables}, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_list_names_every_provider_and_shows_which_are_ready() -> None:
    done = typed(GROQ_API_KEY=SECRET)
    assert (done.returncode, done.stderr) == (0, "") and SECRET not in done.stdout
    lines = {line.removeprefix("✓").split()[0].rstrip(","): line for line in done.stdout.splitlines() if line.strip()}
    assert lines["groq"].startswith("✓") and "GROQ_API_KEY (set)" in lines["groq"]
    assert not lines["deepseek"].startswith("✓") and "DEEPSEEK_API_KEY (not set)" in lines["deepseek"]
    assert {"openai", "anthropic", "ollama", "mistral", "cohere", "hosted_vllm", "cloudflare"} <= lines.keys()


def test_one_provider_in_full_and_as_json() -> None:
    told = typed("cloudflare", CLOUDFLARE_API_KEY=SECRET)
    assert told.returncode == 0 and SECRET not in told.stdout
    assert "CLOUDFLARE_ACCOUNT_ID (not set)" in told.stdout and "CLOUDFLARE_API_KEY (set)" in told.stdout
    one = json.loads(typed("cloudflare", "--json", CLOUDFLARE_ACCOUNT_ID="a", CLOUDFLARE_API_KEY=SECRET).stdout)
    assert one["ready"] is True and one["needed_variables"] == [{"name": "CLOUDFLARE_ACCOUNT_ID", "is_set": True}]


def test_an_unknown_name_ends_with_the_nearest_one() -> None:
    done = typed("opneai")
    assert done.returncode == 2 and "Did you mean 'openai'?" in done.stderr
