"""Lets ``python -m pointsman`` run the command line."""

from __future__ import annotations

from pointsman.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
