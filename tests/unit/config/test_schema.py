"""The JSON Schema describes every known key and accepts what is accepted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from pointsman.config.known_keys import is_honoured, known_keys
from pointsman.config.load import load
from pointsman.config.schema import SCHEMA_DIALECT, json_schema

EXAMPLE = Path(__file__).with_name("litellm_example.yaml")
SCHEMA: dict[str, Any] = json_schema()
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """As much of JSON Schema 2020-12 as our schema uses; an unknown keyword fails the test."""
    return all(judge(keyword, argument, schema, value) for keyword, argument in schema.items())


def judge(keyword: str, argument: Any, schema: dict[str, Any], value: Any) -> bool:  # noqa: PLR0911 - a table
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match keyword:
        case "$schema" | "title" | "description" | "$defs":
            return True
        case "$ref":
            return accepts(SCHEMA["$defs"][argument.removeprefix("#/$defs/")], value)
        case "type":
            return any(is_type(name, value) for name in ([argument] if isinstance(argument, str) else argument))
        case "anyOf":
            return any(accepts(option, value) for option in argument)
        case "properties":
            return not isinstance(value, dict) or all(
                accepts(argument[key], value[key]) for key in value if key in argument
            )
        case "additionalProperties":
            rest = set(value) - set(schema.get("properties", ())) if isinstance(value, dict) else set()
            return argument is True or all(accepts(argument, value[key]) for key in rest)
        case "items":
            return not isinstance(value, list) or all(accepts(argument, item) for item in value)
        case "required":
            return not isinstance(value, dict) or set(argument) <= set(value)
        case "pattern":
            return not isinstance(value, str) or re.search(argument, value) is not None
        case "minimum":
            return not number or value >= argument
        case "exclusiveMinimum":
            return not number or value > argument
        case "maximum":
            return not number or value <= argument
        case _:
            raise AssertionError(keyword)


def is_type(name: str, value: Any) -> bool:
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def definition(section: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMA if section == "top" else SCHEMA["$defs"][section]
    return found


def test_it_is_a_schema_of_the_dialect_it_names_and_can_be_written() -> None:
    assert SCHEMA["$schema"] == SCHEMA_DIALECT == "https://json-schema.org/draft/2020-12/schema"
    assert msgspec.json.decode(msgspec.json.encode(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("section", known_keys().keys)
def test_every_known_key_is_described_and_says_whether_it_has_an_effect(section: str) -> None:
    properties = definition(section)["properties"]
    for key in known_keys().keys[section]:
        assert properties[key]["description"]
        assert ("no effect yet" in properties[key]["description"]) is not is_honoured(section, key)
    assert definition(section)["additionalProperties"] is True


def test_the_example_is_accepted() -> None:
    assert accepts(SCHEMA, yaml.safe_load(EXAMPLE.read_text()))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "model_list: ~",
        "include: a.yaml",
        "litellm_settings: {drop_params: 'Yes', request_timeout: ' 5 ', model_alias_map: {a: b}}",
        "general_settings: {max_parallel_requests: os.environ/N}",
        "router_settings: {model_group_alias: {a: b, c: {model: d, hidden: 'true'}}}",
        "model_list: [{model_name: a, litellm_params: {model: b, rpm: '5', output_cost_per_token: 4e-07}}]",
        "credential_list: [{credential_name: a, credential_values: {api_key: b}}]",
        "pointsman: {ollama: ['http://h:1'], discovery: false}",
        "pointsman: {traffic: [{model: a, canary: {percent: 5, model: b}, hedge: {}}]}",
        "pointsman: {bulkheads: {openai: {max_in_flight: 1}}}",
    ],
)
def test_what_loads_is_accepted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text if text.startswith(("{", "include")) is False else "{x: 1}")
    load(path, {"N": "1"})
    assert accepts(SCHEMA, yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "model_list: {}",
        "model_list: [{litellm_params: {model: a}}]",
        "model_list: [{model_name: a, litellm_params: {}}]",
        "model_list: [{model_name: a, litellm_params: {model: a, rpm: x}}]",
        "model_list: [{model_name: a, litellm_params: {model: a, rpm: -1}}]",
        "model_list: [{model_name: a, litellm_params: {model: a, api_base: localhost}}]",
        "model_list: [{model_name: a, litellm_params: {model: a, input_cost_per_token: free}}]",
        "litellm_settings: {drop_params: maybe}",
        "litellm_settings: {request_timeout: 0}",
        "litellm_settings: {upperbound_key_generate_params: {duration: long}}",
        "router_settings: {model_group_alias: {a: {hidden: true}}}",
        "pointsman: {ollama: http://h}",
        "pointsman: {traffic: [{canary: {percent: 5, model: b}}]}",
        "pointsman: {traffic: [{model: a, canary: {model: b}}]}",
        "pointsman: {traffic: [{model: a, sticky: cookie}]}",
        "pointsman: {bulkheads: {openai: {max_waiting: 5}}}",
    ],
)
def test_what_is_refused_is_not_accepted(text: str) -> None:
    assert not accepts(SCHEMA, yaml.safe_load(text))
