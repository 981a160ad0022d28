"""What an unquoted YAML 1.1 scalar means: null, true or false, a number, or text."""

from __future__ import annotations

import math
import re
from typing import Final

__all__ = ["meaning"]

_BOOLEANS: Final = {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False}
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0b(?P<binary>[01_]+)|0x(?P<hexadecimal>[0-9a-fA-F_]+)|0(?P<octal>[0-7_]+)"
    r"|(?P<decimal>0|[1-9][0-9_]*)|(?P<clock>[1-9][0-9_]*(?::[0-5]?[0-9])+))",
    re.ASCII,
)
_FLOAT: Final = re.compile(
    r"(?P<number>[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?)"
    r"|(?P<clock>[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)"
    r"|(?P<infinity>[-+]?\.(?:inf|Inf|INF))|(?P<nothing>\.(?:nan|NaN|NAN))",
    re.ASCII,
)
_BASES: Final = {"binary": 2, "hexadecimal": 16, "octal": 8, "decimal": 10}


def meaning(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar; rules of yaml.org/type for YAML 1.1, without dates and without ``y`` and ``n``.

    Raises:
        ValueError: It has the form of a number and is none, or has too many digits.
    """
    if text in _NULLS:
        return None
    if text.lower() in _BOOLEANS and (text.islower() or text.isupper() or text.istitle()):
        return _BOOLEANS[text.lower()]
    if match := _INTEGER.fullmatch(text):
        return _integer(match)
    if match := _FLOAT.fullmatch(text):
        return _float(match)
    return text


def _integer(match: re.Match[str]) -> int:
    sign = -1 if match["sign"] == "-" else 1
    kind = match.lastgroup or "decimal"
    digits = match[kind].replace("_", "")
    if kind == "octal" and not digits:  # "0_" is a zero
        return 0
    return sign * (int(_sixties(digits)) if kind == "clock" else int(digits, _BASES[kind]))


def _float(match: re.Match[str]) -> float:
    if match["nothing"]:
        return math.nan
    if match["infinity"]:
        return -math.inf if match["infinity"].startswith("-") else math.inf
    if match["clock"]:
        text = match["clock"].replace("_", "")
        value = _sixties(text.lstrip("+-"))
        return -value if text.startswith("-") else float(value)
    return float(match["number"].replace("_", ""))


def _sixties(text: str) -> int | float:
    """``1:30`` is 90: numbers to the base of sixty, as clocks count."""
    value: int | float = 0
    for part in text.split(":"):
        value = value * 60 + (float(part) if "." in part else int(part))
    return value
