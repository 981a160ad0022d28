"""The configuration as a JSON Schema, for editors: ``pointsman config schema``.

Made from the structs of ``sections`` and the list of known keys, so it cannot drift from what is read. Keys that are
known and have no effect yet are described too, and say so. Further keys are allowed, as in LiteLLM.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from pointsman.config.known_keys import NOT_KEYS, STRUCTS, is_honoured, is_token_price, known_keys
from pointsman.config.references import REFERENCE_PREFIX
from pointsman.config.routing_sections import ModelAlias
from pointsman.config.sections import LiteLLMParams, ModelEntry
from pointsman.core.secret import Secret

__all__ = ["SCHEMA_DIALECT", "Schema", "json_schema"]

SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, object]
"""A JSON Schema as data for a JSON encoder."""

_Properties = dict[str, Schema]

_REFERENCE: Final[Mapping[str, object]] = {"$ref": "#/$defs/reference"}
_REFERENCE_FORM: Final[Mapping[str, object]] = {
    "type": "string",
    "pattern": f"^{REFERENCE_PREFIX}",
    "description": "a variable of the environment",
}
_NUMBER_TEXT: Final = r"^\s*[-+]?[0-9.]+([eE][-+]?[0-9]+)?\s*$"
_TRUTH_TEXT: Final = "^(true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|0|1)$"
_PLAIN_TYPES: Final[Mapping[str, str]] = {"str": "string", "list": "array", "map": "object"}
_NO_EFFECT: Final = "Known from LiteLLM; has no effect yet."
_TRAFFIC: Final = ("traffic", "canary", "variants", "mirror", "hedge", "bulkheads")
_SECTIONS: Final = ("litellm_settings", "general_settings", "router_settings", "pointsman")


def json_schema() -> Schema:
    """The schema of a whole file, as JSON Schema 2020-12."""
    properties = _properties("top")
    properties["model_list"] |= {"type": ["array", "null"], "items": {"$ref": "#/$defs/model_entry"}}
    properties["credential_list"] |= {"type": ["array", "null"], "items": {"$ref": "#/$defs/credential"}}
    properties["include"] |= {"type": ["array", "string", "null"], "items": {"type": "string"}}
    for name in _SECTIONS:
        properties[name] |= {"$ref": f"#/$defs/{name}"}
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "Configuration of Pointsman",
        "description": "LiteLLM's config.yaml and the section pointsman.",
        **_map_of(properties),
        "$defs": _definitions(),
    }


def _definitions() -> Schema:
    sections = {name: _properties(name) for name in known_keys().keys if name != "top"}
    params = {"$ref": "#/$defs/litellm_params"}
    entry, alias = sections["model_entry"], {"$ref": "#/$defs/model_group_alias"}
    entry["litellm_params"] |= {**params, "type": "object", "required": _required(LiteLLMParams)}
    sections["credential"]["credential_values"] |= params
    router = sections["router_settings"]
    router["default_litellm_params"] |= params
    router["model_group_alias"] |= {
        "type": ["object", "null"],
        "additionalProperties": {"anyOf": [{"type": "string"}, {**alias, "required": _required(ModelAlias)}]},
    }
    defined: Schema = {name: _map_of(properties) for name, properties in sections.items()}
    defined["model_entry"] = {**_map_of(entry), "type": "object", "required": _required(ModelEntry)}
    for name in ("litellm_params", "model_info"):
        defined[name] = _map_of({**sections[name], **{price: _price(price) for price in known_keys().prices}})
    for name in _TRAFFIC:
        defined[name] = {**_map_of(sections[name]), "required": _required(STRUCTS[name])}
    return {**defined, "price": _number("number", {"minimum": 0}), "reference": _REFERENCE_FORM}


def _map_of(properties: _Properties) -> Schema:
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": True}


def _properties(section: str) -> _Properties:
    """The keys of one section and their forms."""
    struct = STRUCTS.get(section)
    wanted = typing.get_type_hints(struct, include_extras=True) if struct is not None else {}
    properties: _Properties = {}
    for key, (kind, about) in known_keys().keys[section].items():
        form = _form(wanted[key]) if key in wanted and key not in NOT_KEYS else _plain_form(kind)
        note = about if is_honoured(section, key) else f"{about}. {_NO_EFFECT}"
        properties[key] = {"description": note, **form}
    return properties


def _required(struct: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(struct) if field.required]


def _price(name: str) -> Schema:
    about = "price in USD, in place of the catalogue's" + ("" if is_token_price(name) else f". {_NO_EFFECT}")
    return {"description": about, "$ref": "#/$defs/price"}


def _form(wanted: object) -> Schema:
    """The schema of a value that is read as ``wanted``; a null counts as absent everywhere."""
    kind, meta = _split(wanted)
    origin = typing.get_origin(kind)
    if kind is msgspec.Raw:
        return {}
    if kind is bool:
        texts = {"type": "string", "pattern": _TRUTH_TEXT}
        return {"anyOf": [{"type": ["boolean", "null"]}, texts, _REFERENCE]}
    if kind is int or kind is float:
        return _number("integer" if kind is int else "number", _bounds(meta))
    if kind is str:
        return _text(meta)
    if kind is Secret:
        return {"type": ["string", "null"] if meta is None else ["string", "object", "null"]}
    if origin is tuple:
        return {"type": ["array", "null"], "items": _form(typing.get_args(kind)[0])}
    if origin is Mapping:
        return {"type": ["object", "null"], "additionalProperties": _form(typing.get_args(kind)[1])}
    return {"$ref": f"#/$defs/{_name_of(kind)}"}


def _text(meta: msgspec.Meta | None) -> Schema:
    if meta is not None and meta.extra:
        return {"type": ["string", "number", "array", "null"]}
    if meta is None or not meta.pattern:
        return {"type": ["string", "null"]}
    return {"anyOf": [{"type": ["string", "null"], "pattern": meta.pattern}, _REFERENCE]}


def _number(kind: str, bounds: Mapping[str, object]) -> Schema:
    text = {"type": "string", "pattern": _NUMBER_TEXT}
    return {"anyOf": [{"type": [kind, "null"], **bounds}, text, _REFERENCE]}


def _bounds(meta: msgspec.Meta | None) -> Schema:
    if meta is None:
        return {}
    bounds = {"minimum": meta.ge, "exclusiveMinimum": meta.gt, "maximum": meta.le}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _plain_form(kind: str) -> Schema:
    """The schema of a key that is not read, from its type in the list of known keys."""
    if kind in {"int", "float"}:
        return _number("integer" if kind == "int" else "number", {})
    if kind == "bool":
        return _form(bool)
    return {"type": [_PLAIN_TYPES[kind], "null"]} if kind in _PLAIN_TYPES else {}


def _split(wanted: object) -> tuple[object, msgspec.Meta | None]:
    """The bare type without None, and the constraint upon it."""
    if isinstance(wanted, types.UnionType) or typing.get_origin(wanted) is typing.Union:
        (wanted,) = [member for member in typing.get_args(wanted) if member is not types.NoneType]
    if typing.get_origin(wanted) is Annotated:
        kind, *extras = typing.get_args(wanted)
        return kind, next((extra for extra in extras if isinstance(extra, msgspec.Meta)), None)
    return wanted, None


def _name_of(struct: object) -> str:
    return next(name for name, known in STRUCTS.items() if known is struct)
