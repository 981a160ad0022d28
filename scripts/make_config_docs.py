"""Make ``docs/configuration.md`` from the configuration's own structs and list of keys, or check that it is current.

python scripts/make_config_docs.py            write the file
python scripts/make_config_docs.py --check    exit with 1 if it is not what would be written
"""

from __future__ import annotations

import argparse
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from pointsman.config.environment import VARIABLES
from pointsman.config.known_keys import HONOURED_OTHERWISE, STRUCTS, is_honoured, is_token_price, known_keys
from pointsman.config.schema import json_schema
from pointsman.config.without_effect import why_without_effect

TARGET: Final = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

TITLES: Final = {
    "top": "Sections",
    "model_entry": "`model_list[]`",
    "litellm_params": "`model_list[].litellm_params`",
    "cache_control_injection_points": "`model_list[].litellm_params.cache_control_injection_points[]`",
    "aws_session_tags": "`model_list[].litellm_params.aws_session_tags[]`",
    "model_info": "`model_list[].model_info`",
    "litellm_settings": "`litellm_settings`",
    "upperbound_key_generate_params": "`litellm_settings.upperbound_key_generate_params`",
    "cache_params": "`litellm_settings.cache_params`",
    "general_settings": "`general_settings`",
    "coordination_redis": "`general_settings.coordination_redis`",
    "key_generation_settings": "`litellm_settings.key_generation_settings`",
    "team_key_generation": "`litellm_settings.key_generation_settings.team_key_generation`",
    "personal_key_generation": "`litellm_settings.key_generation_settings.personal_key_generation`",
    "user_header_mappings": "`general_settings.user_header_mappings[]`",
    "service_account_settings": "`general_settings.service_account_settings`",
    "default_internal_user_params": "`litellm_settings.default_internal_user_params`",
    "default_team_params": "`litellm_settings.default_team_params`",
    "key_management_settings": "`general_settings.key_management_settings`",
    "router_settings": "`router_settings`",
    "model_group_alias": "`router_settings.model_group_alias.…`",
    "routing_strategy_args": "`router_settings.routing_strategy_args`",
    "routing_groups": "`router_settings.routing_groups[]`",
    "credential": "`credential_list[]`",
    "pointsman": "`pointsman`",
    "routing_rules": "`pointsman.routing_rules[]`",
    "when": "`pointsman.routing_rules[].when`",
    "then": "`pointsman.routing_rules[].then`",
    "only": "`pointsman.routing_rules[].then.only`",
    "overflow": "`pointsman.routing_rules[].then.overflow`",
    "tiers": "`pointsman.routing_rules[].then.tiers[]`",
    "traffic": "`pointsman.traffic[]`",
    "canary": "`pointsman.traffic[].canary`",
    "variants": "`pointsman.traffic[].variants[]`",
    "mirror": "`pointsman.traffic[].mirror`",
    "hedge": "`pointsman.traffic[].hedge`",
    "bulkheads": "`pointsman.bulkheads.…`",
    "billing": "`pointsman.billing`",
    "billing_terms": "`pointsman.billing.….…`",
    "model_limits": "`pointsman.model_limits.…`",
    "provider_budget_config": "`router_settings.provider_budget_config.…`",
    "tag_budget_config": "`litellm_settings.tag_budget_config.…`",
    "priority_reservation_settings": "`litellm_settings.priority_reservation_settings`",
    "local_hosts": "`pointsman.local_hosts[]`",
    "warm_up": "`pointsman.warm_up[]`",
    "litellm_jwtauth": "`general_settings.litellm_jwtauth`",
    "issuers": "`general_settings.litellm_jwtauth.issuers[]`",
    "role_mappings": "`general_settings.litellm_jwtauth.role_mappings[]`",
    "jwt_litellm_role_map": "`general_settings.litellm_jwtauth.jwt_litellm_role_map[]`",
    "scope_mappings": "`general_settings.litellm_jwtauth.scope_mappings[]`",
    "sign_in": "`pointsman.sign_in`",
    "providers": "`pointsman.sign_in.providers[]`",
    "groups": "`pointsman.sign_in.groups[]`",
}

INTRODUCTION: Final = """\
# Configuration

<!-- Made by scripts/make_config_docs.py from the code; change it there. -->

The file is LiteLLM's `config.yaml` as of version 1.109.1, and a section of our own, `pointsman`, which LiteLLM ignores:
one file serves both. `pointsman check FILE` tells what is wrong or has no effect, with file, line and column;
`pointsman config schema` prints a JSON Schema for editors.

```yaml
model_list:
  - model_name: llama                     # what clients ask for
    litellm_params:
      model: ollama_chat/llama3.2         # provider/model
      api_base: http://localhost:11434
  - model_name: openai/*                  # any name that begins with openai/
    litellm_params:
      model: openai/*
      api_key: os.environ/OPENAI_API_KEY

general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
```

## How it is read

* A wrong value is an error, and the configuration is not used. A key of LiteLLM's that has no effect here is a warning
  that says why and what to do instead; an unknown key is one, too. A null counts as absent. A key that stands twice is
  an error.
* `os.environ/NAME` is replaced by a variable of the environment when the setting that holds it is used; a variable that
  is not set is an error. `environment_variables` are laid over the environment first. Values may stand in files and in
  HashiCorp Vault, too: [Secrets](secrets.md).
* Numbers and truth values may be text, as variables are.
* `include` names further files, relative to the main file or to the including one. Lists are joined; of other keys that
  stand twice the included file's wins, which is told. Unlike in LiteLLM, sections are joined key by key.
* What is none of LiteLLM's keys in `litellm_params` is a field of the upstream body (`temperature`, `max_tokens`, …).
* Files are watched. A change is taken over without interrupting any answer; a broken one is refused, and the running
  configuration stays. What takes effect only at the next start (the master key, where local servers are looked for,
  the form of the log) is named in the log when it changes.
"""


def rendered() -> str:
    """The whole document."""
    schema = json_schema()
    parts = [INTRODUCTION, *(part for section in TITLES for part in section_text(section, schema)), environment_text()]
    return "\n".join(parts)


def section_text(section: str, schema: dict[str, object]) -> Iterator[str]:
    """The heading, the table of honoured keys and the list of the others."""
    keys = known_keys().keys[section]
    used = [key for key in keys if is_honoured(section, key)]
    yield f"## {TITLES[section]}\n"
    yield "| key | type | default | meaning |\n| --- | --- | --- | --- |"
    for key in used:
        about = cell(keys[key][1])
        yield f"| `{key}` | {type_text(section, key, keys[key][0], schema)} | {default_text(section, key)} | {about} |"
    yield ""
    if section in {"litellm_params", "model_info"}:
        yield prices_text()
    idle = sorted(key for key in keys if key not in used)
    if idle:
        yield idle_text(section, idle)


def idle_text(section: str, idle: list[str]) -> str:
    """The keys without effect, those together of which the same is told."""
    told: dict[str, list[str]] = {}
    for key in idle:
        told.setdefault(why_without_effect(section, key) or "", []).append(f"`{key}`")
    lines = [f"* {', '.join(keys)}" + (f": {why}" if why else "") for why, keys in told.items()]
    return "Known, without effect:\n\n" + "\n".join(lines) + "\n"


def prices_text() -> str:
    """The prices that have an effect."""
    names = ", ".join(f"`{name}`" for name in known_keys().prices if is_token_price(name) and "above" not in name)
    return f"Prices in USD in place of the catalogue's, each also with `_above_200k_tokens` and the like: {names}.\n"


def type_text(section: str, key: str, kind: str, schema: dict[str, object]) -> str:
    """``number ≥ 0`` and so on, out of the schema."""
    definitions = typing.cast("dict[str, dict[str, typing.Any]]", schema["$defs"])
    properties = schema["properties"] if section == "top" else definitions[section]["properties"]
    form = typing.cast("dict[str, dict[str, typing.Any]]", properties)[key]
    main = form["anyOf"][0] if "anyOf" in form else form
    types = main.get("type", [])
    names = [name for name in ([types] if isinstance(types, str) else types) if name != "null"]
    text = "map" if "$ref" in main else " or ".join(names) or {"any": "any", "map": "map"}.get(kind, kind)
    for bound, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤")):
        if bound in main and abs(main[bound]) < 2**53:
            text += f" {sign} {main[bound]:g}"
    return text.replace("object", "map").replace("array", "list").replace("boolean", "true or false")


def default_text(section: str, key: str) -> str:
    """What holds if the key is not given, or that it must be."""
    struct = STRUCTS.get(section)
    if struct is None or key in HONOURED_OTHERWISE.get(section, ()):
        return ""
    field = next((field for field in msgspec.structs.fields(struct) if field.name == key), None)
    if field is None:
        return ""
    if field.required:
        return "required"
    default = field.default
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if isinstance(default, int | float | str) else ""


def environment_text() -> str:
    """The table of variables."""
    rows = "\n".join(f"| `{name}` | {cell(about)} |" for name, about in VARIABLES.items())
    return (
        "## Environment\n\n"
        "Where two names mean the same, the first one counts. An empty variable counts as not set.\n\n"
        f"| variable | meaning |\n| --- | --- |\n{rows}\n"
    )


def cell(text: str) -> str:
    """Text that keeps within one cell of a table."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def main() -> int:
    """Write the document, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    wanted = rendered()
    if parser.parse_args().check:
        if TARGET.exists() and TARGET.read_text(encoding="utf-8") == wanted:
            return 0
        print("docs/configuration.md is not current; run: python scripts/make_config_docs.py", file=sys.stderr)
        return 1
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
