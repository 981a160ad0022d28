"""What ``scripts/make_price_catalog.py`` makes of its two sources, on small sources written here."""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from pointsman.catalog.models import ModelFacts
from pointsman.catalog.snapshot import Snapshot
from pointsman.core.price import Price

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "make_price_catalog.py"

NO_GENAI = b"providers: list[Provider] = []"

GENAI = b"""
providers: list[Provider] = [
    Provider(id='openrouter', models=[
        ModelInfo(id='a/Plain', context_window=1000,
                  prices=ModelPrice(input_mtok=Decimal('0.5'), output_mtok=Decimal('2'), requests_kcount=Decimal('5'))),
        ModelInfo(id='a/tiered', prices=ModelPrice(
            input_mtok=TieredPrices(base=Decimal('1'), tiers=[Tier(start=200000, price=Decimal('3'))]),
            output_mtok=Decimal('2'))),
        ModelInfo(id='a/dated', prices=[
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('9'))),
            ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2026, 2, 1)),
                             prices=ModelPrice(input_mtok=Decimal('4'))),
            ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2027, 1, 1)),
                             prices=ModelPrice(input_mtok=Decimal('1')))]),
        ModelInfo(id='a/unpriced', prices=ModelPrice(web_searches_kcount=Decimal('1')))]),
    Provider(id='openai', models=[
        ModelInfo(id='gpt-x', prices=ModelPrice(input_mtok=Decimal('7'))),
        ModelInfo(id='gpt-x-2026-01-31', prices=ModelPrice(input_mtok=Decimal('7')))]),
    Provider(id='nobody-here', models=[ModelInfo(id='b', prices=ModelPrice(input_mtok=Decimal('7')))]),
]
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_price_catalog", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def made(script: ModuleType, litellm: object, genai: bytes = NO_GENAI) -> Snapshot:
    text: bytes = script.render(json.dumps(litellm).encode(), genai, "2026-11-23")
    return Snapshot(lambda: gzip.compress(text))


def facts_of(snapshot: Snapshot, key: str) -> ModelFacts:
    row = snapshot.row(key)
    assert row is not None
    return snapshot.facts(key, row)


def test_a_row_keeps_limits_flags_and_prices(script: ModuleType) -> None:
    raw = {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_input_tokens": 10,
        "max_output_tokens": 5,
        "supports_vision": True,
        "supports_reasoning": False,
        "supported_output_modalities": ["text", "audio"],
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 2e-06,
        "input_cost_per_token_cache_hit": 5e-07,
        "input_cost_per_token_above_128k_tokens": 3e-06,
    }
    facts = facts_of(made(script, {"GPT-X": raw}), "gpt-x")
    assert (facts.context_tokens, facts.output_tokens_max, facts.mode) == (10, 5, "chat")
    assert facts.capabilities == {"vision", "audio_output"}
    assert facts.price is not None
    assert (facts.price.input, facts.price.output, facts.price.cache_read) == (10**9, 2 * 10**9, 5 * 10**8)
    assert facts.price.at(128_001).input == 3 * 10**9


def test_entries_that_are_no_models_are_left_out(script: ModuleType) -> None:
    snapshot = made(script, {"sample_spec": {"litellm_provider": "x"}, "rules": {"rules": []}})
    assert list(snapshot.keys()) == []


@pytest.mark.parametrize(
    "charge", [{"output_cost_per_image": 0.04}, {"search_context_cost_per_query": {"low": 0.01, "high": 0.02}}]
)
def test_zero_token_prices_beside_another_charge_are_no_price(script: ModuleType, charge: dict[str, object]) -> None:
    zero = {"litellm_provider": "p", "input_cost_per_token": 0.0, "output_cost_per_token": 0}
    snapshot = made(script, {"charged": zero | charge, "free": zero})
    assert facts_of(snapshot, "charged").price is None
    assert facts_of(snapshot, "free").price == Price(0, 0)


def test_prices_that_are_no_whole_femtodollars_are_named(script: ModuleType) -> None:
    noisy, lossy = 2.0000000000000002e-07, 1.142857142857143e-07
    snapshot = made(
        script,
        {
            "noisy": {"litellm_provider": "p", "input_cost_per_token": noisy},
            "lossy": {"litellm_provider": "p", "input_cost_per_token": lossy},
        },
    )
    assert snapshot.header.rounded == ("lossy",)
    assert facts_of(snapshot, "noisy").price == Price(200_000_000, 0)


def test_genai_prices_answer_only_where_litellm_has_no_answer(script: ModuleType) -> None:
    own = {"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1e-06}}
    snapshot = made(script, own, GENAI)
    assert list(snapshot.keys()) == ["gpt-x", "openrouter/a/dated", "openrouter/a/plain", "openrouter/a/tiered"]
    assert [source.rows for source in snapshot.header.sources] == [1, 3]
    plain = facts_of(snapshot, "openrouter/a/plain")
    assert (plain.context_tokens, plain.mode, plain.source) == (1000, "chat", "genai-prices 0.2.3")
    assert plain.price == Price(500_000_000, 2 * 10**9, per_request=5 * 10**12)


def test_genai_tiers_and_dates_are_resolved(script: ModuleType) -> None:
    snapshot = made(script, {}, GENAI)
    tiered = facts_of(snapshot, "openrouter/a/tiered").price
    assert tiered is not None and (tiered.at(200_000).input, tiered.at(200_001).input) == (10**9, 3 * 10**9)
    assert facts_of(snapshot, "openrouter/a/dated").price == Price(4 * 10**9, 0)


def test_a_source_of_another_shape_stops_the_making(script: ModuleType) -> None:
    with pytest.raises(SystemExit, match="changed its data file"):
        script.render(b"{}", b"PROVIDERS = {}", "2026-11-23")


def test_the_same_sources_give_the_same_bytes(script: ModuleType) -> None:
    litellm = json.dumps({"b": {"litellm_provider": "p"}, "a": {"litellm_provider": "p"}}).encode()
    assert script.render(litellm, GENAI, "2026-11-23") == script.render(litellm, GENAI, "2026-11-23")


def test_a_package_with_another_digest_is_refused(script: ModuleType, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / script.LITELLM.wheel, "w") as archive:
        archive.writestr(script.LITELLM.member, "{}")
    with pytest.raises(SystemExit, match="SHA-256 differs"):
        script._fetch([script.LITELLM], tmp_path)


def test_poisoned_releases_are_never_downloaded(script: ModuleType, tmp_path: Path) -> None:
    for name, version in script.POISONED:
        with pytest.raises(SystemExit, match="must not be downloaded"):
            script._download(script.Package(name, version, "MIT", "w", "00", "m"), tmp_path)


def test_the_committed_file_names_the_releases_this_script_would_fetch(script: ModuleType) -> None:
    recorded = [(source.version, source.package_sha256) for source in Snapshot(script.packaged_bytes).header.sources]
    assert recorded == [(package.version, package.wheel_sha256) for package in (script.LITELLM, script.GENAI_PRICES)]
