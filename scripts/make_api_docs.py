"""Make ``docs/management-api.md`` from the table of routes and the verdicts beside it, or check that it is current.

python scripts/make_api_docs.py            write the file
python scripts/make_api_docs.py --check    exit with 1 if it is not what would be written, or something is not judged
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from pointsman.admin.table import ROUTES, RouteFact, routes

HERE: Final = Path(__file__).resolve().parent
VERDICTS: Final = HERE / "litellm_endpoints.toml"
TARGET: Final = HERE.parent / "docs" / "management-api.md"

_PARAMETER: Final = re.compile(r"\{[^}]*\}")
_SCOPES: Final = {
    "public": "anybody",
    "inference": "any key",
    "self": "any key, for what is its own",
    "management": "any key or session, as far as its rights go",
    "viewer": "administrators and their viewers",
    "admin": "administrators",
}

HEAD: Final = """# The management API

<!-- Made by scripts/make_api_docs.py from the code and scripts/litellm_endpoints.toml; change it there. -->

Every management endpoint of LiteLLM 1.109.1, and what becomes of it here. *Identical*: same path, same fields, same
meaning. *Differs*: the same, but for what is said. *Absent*: why. Fields, types and bounds of what is served are in
`/openapi.json` and on the page `/docs` of a gateway that runs.

Everywhere: errors have OpenAI's form, `created_by` and `updated_by` name who did it (`master` for the master key, where
LiteLLM says `default_user_id`), sums leave out LiteLLM's own health checks. The answers of some 180 requests to LiteLLM
were recorded and are compared with ours in every run of the tests, and so are the names of all fields that LiteLLM
takes: each is heeded; or kept, shown again and named in the header `x-pointsman-not-enforced`; or refused with its
name, where it would narrow something and nobody would enforce it.

Everywhere, too, and so not said of each: what cannot be read is 400, where LiteLLM says 422 (here that is a budget
that is used up). What does not exist is 404, where LiteLLM often says 200 with null, 400 or 401. Who is known and may
not is 403, where LiteLLM says 401. Nothing is done for an empty list or an empty id, which is an error. Lists have
1,000 entries at most, where `/openapi.json` says no other number, and ids 256 characters; amounts are from 0 to
9,000,000 USD, limits from 0 to 2^53. What was never said is mostly false, an empty list or an empty object, where
LiteLLM says null. What LiteLLM keeps for holders of its licence (organisations, projects, budgets of models, admins of
teams, audit) answers.
"""


class Endpoint(NamedTuple):
    """One of LiteLLM's endpoints, with what was found of it here."""

    group: str
    name: str
    verdict: str
    note: str
    scope: str


def key_of(name: str) -> str:
    """``METHOD /path`` without the names of its parameters, which may differ."""
    return _PARAMETER.sub("{}", name)


def served() -> dict[str, RouteFact]:
    """What is served, by :func:`key_of`."""
    return {key_of(f"{fact.method} {fact.path}"): fact for fact in routes(ROUTES)}


def judged(groups: Mapping[str, Mapping[str, str]], found: Mapping[str, RouteFact]) -> tuple[list[Endpoint], list[str]]:
    """All endpoints, and the complaints about those that are not judged, or not rightly."""
    endpoints: list[Endpoint] = []
    complaints: list[str] = []
    for group, names in groups.items():
        for name, said in names.items():
            if name == "absent":
                continue
            fact = found.get(key_of(name))
            verdict, _, note = said.partition(": ")
            if fact is None and verdict != "absent":
                verdict, note = "absent", names.get("absent", "")
            if fact is None and not note:
                complaints.append(f"{name} is not served, and nothing says why")
            if fact is not None and not (said == "identical" or (verdict == "differs" and note)):
                complaints.append(f"{name} is served, and its verdict is {said!r}")
            endpoints.append(Endpoint(group, name, verdict, note, "" if fact is None else fact.scope))
    known = {key_of(one.name) for one in endpoints}
    complaints += [
        f"{fact.method} {fact.path} keeps LiteLLM's contract, and is not in {VERDICTS.name}"
        for name, fact in found.items()
        if fact.tier == "litellm" and name not in known
    ]
    return endpoints, complaints


def page(endpoints: list[Endpoint], found: Mapping[str, RouteFact]) -> str:
    """The whole document."""
    return "\n".join([HEAD, *_summary(endpoints), *_tables(endpoints), *_ours(endpoints, found)]) + "\n"


def _summary(endpoints: list[Endpoint]) -> Iterator[str]:
    counts = Counter(one.verdict for one in endpoints)
    yield f"Identical: {counts['identical']}. Differs: {counts['differs']}. Absent: {counts['absent']}."
    yield ""
    yield "Who may ask: " + "; ".join(f"*{name}*: {said}" for name, said in _SCOPES.items()) + "."


def _tables(endpoints: list[Endpoint]) -> Iterator[str]:
    for group in dict.fromkeys(one.group for one in endpoints):
        yield f"\n## {group}\n"
        yield "| endpoint | here | scope | note |"
        yield "| --- | --- | --- | --- |"
        for one in endpoints:
            if one.group == group:
                yield f"| `{_shown(one.name)}` | {one.verdict} | {one.scope} | {_escaped(one.note)} |"


def _ours(endpoints: list[Endpoint], found: Mapping[str, RouteFact]) -> Iterator[str]:
    known = {key_of(one.name) for one in endpoints}
    yield "\n## Only here\n"
    yield "| endpoint | scope | what it does |"
    yield "| --- | --- | --- |"
    for name, fact in found.items():
        if fact.tier == "pointsman" and name not in known:
            yield f"| `{fact.method} {_shown(fact.path)}` | {fact.scope} | {_escaped(fact.summary)} |"


def _shown(text: str) -> str:
    return text.replace(":path}", "}")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Write or check."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--check", action="store_true")
    check = arguments.parse_args().check
    found = served()
    endpoints, complaints = judged(tomllib.loads(VERDICTS.read_text("utf-8")), found)
    for complaint in complaints:
        print(f"{VERDICTS.name}: {complaint}", file=sys.stderr)
    text = page(endpoints, found)
    if check:
        if not TARGET.is_file() or TARGET.read_text("utf-8") != text:
            print("docs/management-api.md is not current; run: python scripts/make_api_docs.py", file=sys.stderr)
            return 1
    else:
        TARGET.write_text(text, "utf-8")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
