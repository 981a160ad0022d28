"""Schemas as Bedrock wants them.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html (every object says that it has no
properties but its own) and https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolInputSchema.html.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Malformed

__all__ = ["closed_schema", "object_schema"]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, object]).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_OBJECT: Final = msgspec.Raw(b'"object"')

_MAPS: Final = ("properties", "$defs", "definitions")
_LISTS: Final = ("anyOf", "allOf", "oneOf")


def closed_schema(schema: msgspec.Raw) -> str:
    """The schema as JSON text, with ``additionalProperties: false`` wherever an object leaves it open.

    Raises:
        Malformed: it is not an object, or nested too deeply.
    """
    try:
        return _encode(_closed(_decode(schema))).decode()
    except (msgspec.MsgspecError, RecursionError):
        place = "response_format.json_schema.schema"
        raise Malformed(f"{place} must be a JSON Schema.", param=place) from None


def object_schema(schema: msgspec.Raw) -> msgspec.Raw:
    """The schema of a tool's input, which has to say that it is an object: most models refuse one that does not."""
    try:
        fields = _decode_fields(schema)
    except (msgspec.MsgspecError, RecursionError):
        return schema
    return schema if "type" in fields else msgspec.Raw(_encode({"type": _OBJECT, **fields}))


def _closed(schema: object) -> object:
    if not isinstance(schema, dict):
        return schema
    closed = dict(schema)
    if closed.get("type") == "object" or "properties" in closed:
        closed.setdefault("additionalProperties", False)
    for name in _MAPS:
        inner = closed.get(name)
        if isinstance(inner, dict):
            closed[name] = {key: _closed(value) for key, value in inner.items()}
    for name in _LISTS:
        inner = closed.get(name)
        if isinstance(inner, list):
            closed[name] = [_closed(value) for value in inner]
    if "items" in closed:
        closed["items"] = _closed(closed["items"])
    return closed
