"""Make ``docs/mapping/`` by running every client dialect's catalogue against every kind of upstream, or check it.

python scripts/make_mapping_docs.py            write the files
python scripts/make_mapping_docs.py --check    exit with 1 if they are not what would be written
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pointsman.providers.mapping import CLIENT_PARTIES, FAR_PARTIES, Outcome, examine, markdown

TARGET: Final = Path(__file__).resolve().parent.parent / "docs" / "mapping"

MADE: Final = "<!-- Made by scripts/make_mapping_docs.py by running the code; change it there. -->"

INTRODUCTION: Final = f"""\
# What becomes of each parameter

{MADE}

For each dialect that a client may speak and each kind of upstream: what a client can say, and what becomes of it. Each
line was found out by sending a request with it, and the same without it, through the gateway's translation.
`pointsman mapping CLIENT UPSTREAM` prints the same, with `--json` for programs.

* **mapped**: it goes to the named fields of the upstream's request.
* **emulated**: the upstream does not have it; the gateway sees to it.
* **passed over**: it changes nothing about the answer (a hint, bookkeeping, or what happens anyway).
* **refused, or dropped with drop_params**: an error that names it, unless `drop_params` is set in the configuration or
  in the request. `additional_drop_params` drops more, `allowed_openai_params` passes a parameter on all the same.
* **refused**: an error that names it; content is never dropped.

The models are taken for able to do what the provider's best can: a model without images refuses images.
"""


def pages() -> Mapping[str, str]:
    """Every document by its name."""
    parts = {}
    counts = []
    for client in CLIENT_PARTIES:
        sections = [f"# From {client.title}\n\n{MADE}\n\nWhat the words mean: [README](README.md).\n"]
        for far in (one for one in FAR_PARTIES if one.serves(client)):
            rows = examine(client, far)
            tally = Counter(row.outcome for row in rows)
            counts.append(
                f"| [{client.title}]({client.name}.md) | [{far.title}]({client.name}.md#{anchor(far.title)}) | "
                + " | ".join(str(tally[outcome]) for outcome in Outcome)
                + " |"
            )
            sections.append(f"## To {far.title}\n\n{markdown(rows)}\n")
        parts[f"{client.name}.md"] = "\n".join(sections)
    outcomes = " | ".join(outcome.value for outcome in Outcome)
    head = f"| client | upstream | {outcomes} |\n| --- | --- |{' ---: |' * len(Outcome)}"
    parts["README.md"] = INTRODUCTION + "\n" + "\n".join([head, *counts]) + "\n"
    return parts


def anchor(title: str) -> str:
    """How GitHub names the section of an upstream."""
    return "to-" + "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def main() -> int:
    """Write the documents, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    wanted = pages()
    there = {path.name: path for path in TARGET.glob("*.md")}
    if parser.parse_args().check:
        if {name: path.read_text(encoding="utf-8") for name, path in there.items()} == wanted:
            return 0
        print("docs/mapping is not current; run: python scripts/make_mapping_docs.py", file=sys.stderr)
        return 1
    TARGET.mkdir(exist_ok=True)
    for name, path in there.items():
        if name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (TARGET / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
