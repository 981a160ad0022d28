"""The list of keys and the structs agree, and what counts as a price is what the catalogue reads."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

import pointsman
from pointsman.catalog.overrides import NO_OVERRIDES, read_overrides
from pointsman.config import load as load_module
from pointsman.config.findings import nearest
from pointsman.config.known_keys import (
    HONOURED_OTHERWISE,
    NOT_YET,
    SO_ANYWAY,
    STRUCTS,
    field_names,
    is_honoured,
    is_token_price,
    known_keys,
)
from pointsman.config.without_effect import why_without_effect

WITHOUT_EFFECT = Path(pointsman.__file__).parent / "config" / "without_effect.json"
TYPES = {"str", "int", "float", "bool", "list", "map", "any"}


def test_every_honoured_key_has_a_meaning() -> None:
    for section, struct in STRUCTS.items():
        assert field_names(struct) <= known_keys().keys[section].keys()
    for section, keys in HONOURED_OTHERWISE.items():
        assert keys <= known_keys().keys[section].keys()


def test_what_has_no_effect_yet_is_a_field_that_is_checked() -> None:
    for section, keys in NOT_YET.items():
        assert keys <= field_names(STRUCTS[section])
        assert not any(is_honoured(section, key) for key in keys)


def test_what_is_honoured_is_read_by_somebody() -> None:
    package = Path(pointsman.__file__).parent
    own = {
        package / "config" / name
        for name in ("sections.py", "handling_sections.py", "traffic_sections.py", "known_keys.py")
    }
    sources = "\n".join(path.read_text() for path in package.rglob("*.py") if path not in own)
    words = set(re.findall(r"\w+", sources))
    for section, struct in STRUCTS.items():
        unread = {key for key in field_names(struct) if is_honoured(section, key)} - words
        assert not unread, f"{section}: nothing acts on {unread}; they belong in NOT_YET"


def test_what_is_a_map_by_name_is_not_taken_for_a_section_of_that_name() -> None:
    by_name = {
        key
        for struct in STRUCTS.values()
        for key, hint in typing.get_type_hints(struct).items()
        if key in STRUCTS and typing.get_origin(hint) is Mapping and typing.get_args(hint)[1] is STRUCTS[key]
    }
    assert {"model_limits", "provider_budget_config"} <= by_name <= load_module._MAPS_BY_NAME


def test_of_every_key_without_effect_it_is_told_why() -> None:
    untold = [
        f"{section}.{key}"
        for section, keys in known_keys().keys.items()
        for key in keys
        if not is_honoured(section, key) and not why_without_effect(section, key)
    ]
    assert not untold, "without_effect.json has nothing on them"


def test_what_is_told_is_a_sentence_about_keys_that_are_known() -> None:
    told = msgspec.json.decode(WITHOUT_EFFECT.read_bytes(), type=dict[str, dict[str, str]])
    for section, reasons in told.items():
        for pattern, why in reasons.items():
            assert why.endswith(".") and "\n" not in why, pattern
            if "*" not in pattern:
                assert pattern in known_keys().keys[section] and not is_honoured(section, pattern), pattern


def test_what_is_so_anyway_is_known_and_has_no_effect_of_its_own() -> None:
    for section, keys in SO_ANYWAY.items():
        for key in keys:
            assert known_keys().knows(section, key)
            assert not is_honoured(section, key)


def test_every_entry_is_well_formed() -> None:
    for keys in known_keys().keys.values():
        for key, (kind, meaning) in keys.items():
            assert kind in TYPES, key
            assert meaning, key
            assert not meaning.endswith("."), key


def test_litellms_sections_are_covered() -> None:
    sizes = {section: len(keys) for section, keys in known_keys().keys.items()}
    assert sizes["litellm_params"] >= 140
    assert sizes["general_settings"] >= 200
    assert sizes["litellm_settings"] >= 140
    assert sizes["router_settings"] >= 55
    assert len(known_keys().prices) >= 142


@pytest.mark.parametrize("name", known_keys().prices)
def test_a_price_is_honoured_exactly_when_the_catalogue_reads_it(name: str) -> None:
    assert is_token_price(name) == (read_overrides({name: 1e-6}) != NO_OVERRIDES)


@pytest.mark.parametrize(
    ("section", "key", "known", "honoured"),
    [
        ("general_settings", "master_key", True, True),
        ("general_settings", "alerting_threshold", True, False),
        ("general_settings", "mcp_anything", True, False),
        ("general_settings", "nonsense", False, False),
        ("litellm_settings", "prometheus_x_ttl_seconds", True, False),
        ("litellm_params", "input_cost_per_token_above_200k_tokens", True, True),
        ("litellm_params", "input_cost_per_pixel", True, False),
        ("litellm_params", "pinned", False, False),
        ("model_info", "supports_time_travel", True, True),
        ("router_settings", "input_cost_per_token", False, False),
        ("pointsman", "local_hosts", True, True),
    ],
)
def test_keys_are_told_apart(section: str, key: str, known: bool, honoured: bool) -> None:
    assert known_keys().knows(section, key) is known
    assert is_honoured(section, key) is honoured


def test_the_nearest_name_is_like_the_one_given() -> None:
    assert nearest("Master_Key", ["master_key", "model"]) == "master_key"
    assert nearest("zzz", ["master_key"]) is None
    assert nearest("m" * 100_000, ["master_key"]) is None
