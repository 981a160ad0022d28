"""Make the table in ``docs/people.md`` from the one that the tests hold every route against, or check it is current.

python scripts/make_people_docs.py            write the file
python scripts/make_people_docs.py --check    exit with 1 if it is not what would be written
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.unit.admin.matrix_rows import ROWS, Row  # noqa: E402 - found through the line above

TARGET: Final = ROOT / "docs" / "people.md"
BEGIN: Final = "<!-- Made by scripts/make_people_docs.py from tests/unit/admin/matrix_rows.py: -->\n"
END: Final = "<!-- End of what is made. -->\n"

ACTORS: Final = {
    "A": "admin",
    "V": "viewer",
    "O": "organisation admin",
    "T": "team admin",
    "M": "member",
    "W": "viewing member",
    "S": "team's key",
    "C": "customer",
}


def rendered() -> str:
    """The document with the table as it is to be."""
    before, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]


def table() -> str:
    """A row for each route, and what of each actor's reach it is for."""
    lines = [f"| | {' | '.join(ACTORS.values())} |", f"|---|{'---|' * len(ACTORS)}"]
    for name, row in ROWS.items():
        shown = name.replace(":path", "")
        lines.append(f"| `{shown}` | {' | '.join(_reach(row, actor) for actor in ACTORS)} |")
    return "\n".join(lines) + "\n"


def _reach(row: Row, actor: str) -> str:
    if actor in row.other:
        return "any"
    if actor in row.mate:
        return "theirs"
    return "own" if actor in row.own else "–"


def main() -> int:
    """Write the document or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell whether it is current")
    if parser.parse_args().check:
        if TARGET.read_text(encoding="utf-8") == rendered():
            return 0
        print("docs/people.md is not current; run: python scripts/make_people_docs.py", file=sys.stderr)
        return 1
    TARGET.write_text(rendered(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
