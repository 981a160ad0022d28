"""Make ``docs/providers.md`` from the rows of the providers, or check that it is current.

python scripts/make_providers_docs.py            write the file
python scripts/make_providers_docs.py --check    exit with 1 if it is not what would be written
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pointsman.providers.overview import ProviderOverview, Variable, overviews, told_habits

TARGET: Final = Path(__file__).resolve().parent.parent / "docs" / "providers.md"

INTRODUCTION: Final = """\
# Providers

<!-- Made by scripts/make_providers_docs.py from the code; change it there. -->

A deployment's `litellm_params.model` begins with a provider's prefix: `groq/llama-3.3-70b-versatile`. Prefixes, usual
addresses and variables are those of LiteLLM 1.109.1. The key is `litellm_params.api_key`, or else the first of the
variables that is set; the address is `litellm_params.api_base`, or else a variable, or else the usual one. Prefixes in
one row mean the same. `pointsman providers` prints this list with what is set on your machine, `pointsman providers
NAME` one provider in full, and `--json` makes either fit for programs.

What a provider *can do* is what it offers itself, by the names of OpenAI's routes. Whatever chats can be asked by
clients of every dialect. A server that is not listed works as `openai/…` with its `api_base`.

Ollama Cloud is `ollama_chat/…` with `api_base: https://ollama.com` and the key in `OLLAMA_API_KEY`.

Amazon Bedrock's region is that of the model's own name (`bedrock/eu-west-1/…`, an ARN), or `aws_region_name`, or
`AWS_REGION_NAME`, `AWS_REGION`, `AWS_DEFAULT_REGION`, or that of the profile, or `us-west-2`. Without an API key its
requests are signed. With what, the entry says (`aws_access_key_id` …, `aws_profile_name`, `aws_role_name`), or it is
found where AWS's own tools find it: in the environment, by web identity, in `~/.aws`, at the container's host or the
EC2 instance's. What would start other programs (`credential_process`, SSO) is not used.

IBM watsonx.ai wants to know who pays: `project_id` (or `WATSONX_PROJECT_ID`, `WX_PROJECT_ID`, `PROJECT_ID`) or
`space_id` (or `WATSONX_DEPLOYMENT_SPACE_ID`, `WATSONX_SPACE_ID`, `WX_SPACE_ID`, `SPACE_ID`); models deployed in a space
of your own are `watsonx/deployment/ID` and need neither. The API key is exchanged for a token at `WATSONX_IAM_URL` or
IBM Cloud's own address. `token` (`WATSONX_TOKEN`) or, on Cloud Pak for Data, `zen_api_key` (`WATSONX_ZENAPIKEY`) is
sent in its place. An entry with a credential of its own takes none from the environment. `api_version` is 2024-03-13
where nobody says.
"""

HABITS: Final = """\
## Habits

What is changed about requests for services that would refuse or misread them. A *refused* field makes a request
fail with the field's name, or is dropped where `drop_params` allows that; a field in the position that it has anyway
(`n: 1`) is no reason to refuse.

A `developer` message is sent as a `system` message, except to {developer}.
"""

VERIFIED: Final = """\
## Seen for real

What vLLM and SGLang really send is kept in `tests/recorded/local` and read by the tests; before vLLM the gateway itself
stood too, driven by OpenAI's and Anthropic's SDKs. SGLang's engine, its `/metrics` and `/v1/loads` were read, not run.

| server | how | what |
| --- | --- | --- |
| vLLM 0.32.0 | its own engine on a CPU, its front end unchanged, a Qwen3 of two layers whose words were chosen; \
parsers `hermes` and `qwen3` | models, chats (thinking, tools, `n`, logprobs, schemas, stop sequences), completions, \
Responses, embeddings, rerank, errors whole and in streams, `/metrics`, `/load`, sleep mode |
| SGLang 0.5.23 | its own HTTP server and chat, completions and messages, unchanged, before an engine that gives \
chosen words, lengths, ends and refusals; parsers `qwen25` and `qwen3`; GPU libraries left out | models, chats \
(thinking, tools, stop sequences), completions, errors whole and in streams |
| llama.cpp, as `xllamacpp` has it | a real model of 135 million parameters, in `tests/real` | models, chats, \
tools, embeddings, slots, sleep |

vLLM, Groq, Cerebras and OpenRouter call the thoughts of a model `reasoning`; clients of OpenAI's chats get them as
`reasoning_content`, as from every other upstream and as with LiteLLM, and those of other dialects in their own form.
An answer that vLLM gives up (`finish_reason` `abort`: it is put to sleep or shut down) counts as failed. The stop
sequence that was met (`stop_reason`, SGLang's `matched_stop`) is told to clients of Anthropic's.
"""

LEFT_OUT: Final = """\
## Left out

Prefixes of LiteLLM's for which an address and a key do not suffice: `github_copilot`, `chatgpt` and `xai` with OAuth
want somebody to sign in; `gigachat` wants a token that is got with the key; `datarobot`, `ragflow`, `opencode_go` and
dedicated deployments of `baseten` have an address for each model, which works as `openai/…` with that `api_base`.
"""


def rendered() -> str:
    """The whole document."""
    known = overviews({})
    native = [one for one in known if one.native is not None]
    local = [one for one in known if one.local and one.native is None]
    cloud = [one for one in known if not one.local and one.native is None]
    parts = [INTRODUCTION]
    for title, group in (
        ("With a dialect of their own", native),
        ("On your own machine", local),
        ("Services that speak OpenAI's API", cloud),
    ):
        parts.append(f"## {title}\n\n{table(group)}\n")
    knowing = sorted(f"`{one.prefixes[0]}`" for one in known if one.habits.developer_role)
    parts.append(f"{HABITS.format(developer=', '.join(knowing))}\n{habits_table(known)}\n")
    return "\n".join([*parts, VERIFIED, LEFT_OUT])


def table(group: Iterable[ProviderOverview]) -> str:
    """The providers of one kind."""
    lines = ["| prefix | provider | can do | key | address |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {names(one.prefixes)} | [{one.title}]({one.docs}) | {', '.join(one.serves)} | "
        f"{names(variables(one.key_variables))} | {address(one)} |"
        for one in group
    ]
    return "\n".join(lines)


def address(one: ProviderOverview) -> str:
    """The usual address, and the variables that say another."""
    usual = [f"`{one.address}`"] if one.address else [one.reached] if one.reached else []
    return "<br>".join([*usual, *(f"`{name}`" for name in variables(one.address_variables))]) or "`api_base` only"


def variables(given: Iterable[Variable]) -> tuple[str, ...]:
    """Their names."""
    return tuple(variable.name for variable in given)


def names(given: Iterable[str]) -> str:
    """Names as code, one below the other."""
    return "<br>".join(f"`{name}`" for name in given)


def habits_table(known: Iterable[ProviderOverview]) -> str:
    """Who has which habits."""
    lines = ["| prefix | chats | embeddings |", "| --- | --- | --- |"]
    for one in known:
        chats, embeddings = ("; ".join(told_habits(habits)) for habits in (one.habits, one.embedding_habits))
        if chats or embeddings:
            lines.append(f"| {names(one.prefixes)} | {chats} | {embeddings} |")
    return "\n".join(lines)


def main() -> int:
    """Write the document, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    wanted = rendered()
    if parser.parse_args().check:
        if TARGET.exists() and TARGET.read_text(encoding="utf-8") == wanted:
            return 0
        print("docs/providers.md is not current; run: python scripts/make_providers_docs.py", file=sys.stderr)
        return 1
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
