"""Reading JSON bodies of requests, and saying in plain words what is wrong with them.

A body is first taken apart into its top-level fields, each kept as raw JSON. Of a key that occurs twice the
last value counts, and since whoever sends the body on re-encodes these fields, exactly one is left: nothing can
hide behind a duplicate or an escaped spelling of a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from pointsman.core.errors import Malformed

__all__ = ["decode_field", "demand_object", "read_body", "read_fields"]

Value = TypeVar("Value")

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_BRACE: Final = ord("{")
_QUOTED_CHARACTERS_MAX: Final = 80
_EXPECTED: Final = re.compile(r"Expected `([^`]+)`(?:, got `([^`]+)`)?$")
_BOUND: Final = re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) (\S+)$")
_LENGTH: Final = re.compile(r"Expected `(array|str|object)` of length (>=|<=) (\d+)$")
_MISSING: Final = re.compile(r"Object missing required field `([^`]+)`$")
_UNKNOWN: Final = re.compile(r"Invalid (?:enum )?value (.+)$", re.DOTALL)

_KINDS: Final = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_PARTS: Final = {"array": "elements", "str": "characters", "object": "entries"}
_BOUNDS: Final = {">=": "at least", "<=": "at most", ">": "greater than", "<": "less than"}


def read_fields(body: bytes) -> dict[str, msgspec.Raw]:
    """The top-level fields of a JSON object in their order, each once, as raw JSON.

    Raises:
        Malformed: the body is empty, not UTF-8, not JSON, nested too deeply, or not an object.
    """
    try:
        if not body.isascii():
            body.decode()
        return _decode_fields(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise _malformed(body, problem) from None


def read_body(body: bytes, decode: Callable[[bytes], Value]) -> Value:
    """A whole body through a typed decoder.

    Raises:
        Malformed: as :func:`read_fields`, or a field is missing or of a wrong type or value; ``param`` is its path.
    """
    try:
        return decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise _malformed(body, problem) from None


def decode_field(name: str, raw: msgspec.Raw, decode: Callable[[msgspec.Raw], Value]) -> Value:
    """One top-level field through a typed decoder; ``decode`` has to accept null where null is allowed.

    Raises:
        Malformed: it is of a wrong type or value; ``param`` is ``name``, or the path within it.
    """
    try:
        return decode(raw)
    except msgspec.ValidationError as problem:
        raise _invalid(str(problem), name) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise Malformed(f"{name} is not valid JSON: {_flaw(problem)}.", param=name) from None


def demand_object(path: str, raw: msgspec.Raw) -> msgspec.Raw:
    """``raw``, if it is a JSON object.

    Raises:
        Malformed: it is something else; ``param`` is ``path``.
    """
    if memoryview(raw)[0] != _BRACE:
        raise Malformed(f"{path} must be an object.", param=path)
    return raw


def _malformed(body: bytes, problem: Exception) -> Malformed:
    if isinstance(problem, msgspec.ValidationError):
        return _invalid(str(problem), "")
    if not body.strip():
        return Malformed("The request has no body.", hint="Send a JSON object.")
    return Malformed(f"The request body is not valid JSON: {_flaw(problem)}.")


def _flaw(problem: Exception) -> str:
    if isinstance(problem, RecursionError):
        return "it is nested too deeply"
    if isinstance(problem, UnicodeDecodeError):
        return f"it is not UTF-8 (byte {problem.start})"
    text = str(problem)
    if text == "Input data was truncated":
        return "it ends too early, or a string holds half of a surrogate pair"
    return text.removeprefix("JSON is malformed: ")


def _invalid(text: str, name: str) -> Malformed:
    """The words of msgspec, turned into a sentence about the field."""
    what, _, place = text.partition(" - at `$")
    path = name + place.rstrip("`")
    path = path.removeprefix(".")
    missing = _MISSING.match(what)
    if missing is not None:
        path = f"{path}.{missing[1]}" if path else missing[1]
        return Malformed(f"{path} is required.", param=path)
    return Malformed(f"{path or 'The request body'} {_rule(what)}.", param=path or None)


def _rule(what: str) -> str:
    if match := _BOUND.match(what):
        return f"must be {_BOUNDS[match[1]]} {match[2].removesuffix('.0')}"
    if match := _LENGTH.match(what):
        if match[2] == ">=" and match[3] == "1":
            return "must not be empty"
        return f"must have {_BOUNDS[match[2]]} {match[3]} {_PARTS[match[1]]}"
    if match := _EXPECTED.match(what):
        wanted = [_KINDS.get(kind, kind) for kind in match[1].split(" | ") if kind != "null" or match[1] == "null"]
        got = f", not {_KINDS.get(match[2], match[2])}" if match[2] and match[2] != "bool" else ""
        return f"must be {' or '.join(wanted)}{got}"
    if match := _UNKNOWN.match(what):
        value = match[1]
        value = value if len(value) <= _QUOTED_CHARACTERS_MAX else value[:_QUOTED_CHARACTERS_MAX] + "…'"
        return f"has the unknown value {value}"
    return f"is not as it should be: {what}"
