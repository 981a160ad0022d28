"""``python -m simulator``: what ``bench/routing`` calls."""

from __future__ import annotations

import sys

from simulator.command import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
