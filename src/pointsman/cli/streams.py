"""What a terminal or a pipe can show."""

from __future__ import annotations

import io
import sys

__all__ = ["show_what_can_be_shown"]


def show_what_can_be_shown() -> None:
    """Have a character that standard output's encoding lacks, an arrow in Latin-1, become a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
