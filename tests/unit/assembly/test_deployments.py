"""What an entry of ``model_list`` comes to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.assembly.deployments import Configured, configured
from pointsman.catalog.lookup import Catalog
from pointsman.config.sections import (
    LiteLLMParams,
    LocalHost,
    ModelEntry,
    ModelInfo,
    PointsmanSettings,
    Settings,
)
from pointsman.core.errors import Misconfigured
from pointsman.core.price import Price, femtodollars
from pointsman.core.secret import Secret
from pointsman.routing.table import RoutingTable


def made(name: str = "own", *, info: ModelInfo | None = None, **params: Any) -> Configured:
    given = {"model": "openai/nobody-knows-it", "api_base": "http://10.0.0.7/v1", **params}
    entry = ModelEntry(model_name=name, litellm_params=LiteLLMParams(**given), model_info=info or ModelInfo())
    return configured(Settings(model_list=(entry,)), {}, Catalog())


def price(result: Configured) -> Price:
    found = result.deployments[0].price
    assert found is not None
    return found


def test_a_price_in_litellm_params_wins_over_one_in_model_info() -> None:
    info = ModelInfo(prices={"input_cost_per_token": 1e-6, "output_cost_per_token": 5e-6})
    found = price(made(info=info, prices={"input_cost_per_token": 3e-6}))
    assert found.input == femtodollars(3e-6)
    assert found.output == femtodollars(5e-6)


def test_limits_and_abilities_of_model_info_are_the_deployments() -> None:
    info = ModelInfo(max_input_tokens=9, max_output_tokens=4, mode="embedding", supports={"supports_vision": True})
    deployment = made(info=info).deployments[0]
    assert (deployment.context_tokens, deployment.output_tokens_max, deployment.mode) == (9, 4, "embedding")
    assert "vision" in deployment.capabilities


def test_what_else_the_operator_says_of_a_model_is_kept_to_be_shown() -> None:
    info = ModelInfo(base_model="azure/gpt-4o", extras={"owner": msgspec.Raw(b'"ada"')})
    told = made(info=info).deployments[0].told
    assert {name: msgspec.json.decode(raw) for name, raw in told.items()} == {
        "base_model": "azure/gpt-4o", "owner": "ada",
    }  # fmt: skip


def test_a_server_that_stands_under_the_local_hosts_is_one_and_has_its_own_bound_of_context() -> None:
    hosts = (
        LocalHost(api_base="http://10.0.0.7", num_ctx_max=4096),
        LocalHost(api_base="http://10.0.0.8/v1", provider="openai"),
    )
    entries = tuple(
        ModelEntry(
            model_name="m", litellm_params=LiteLLMParams(model="openai/m", api_base=f"http://10.0.0.{number}/v1")
        )
        for number in (7, 8, 9)
    )
    settings = Settings(model_list=entries, local=PointsmanSettings(local_hosts=hosts, num_ctx_max=8192))
    found = configured(settings, {}, Catalog()).deployments
    assert [(each.local, each.num_ctx_max) for each in found] == [(True, 4096), (True, 8192), (False, 8192)]


TIERS = msgspec.Raw(
    b'[{"range": [0, 5], "input_cost_per_token": 1e-6}, {"range": [5, 9], "input_cost_per_token": 2e-6}]'
)


@pytest.mark.parametrize("beside", ["litellm_params", "model_info"])
def test_prices_by_length_are_charged(beside: str) -> None:
    if beside == "litellm_params":
        found = price(made(tiered_pricing=TIERS))
    else:
        found = price(made(info=ModelInfo(tiered_pricing=TIERS)))
    assert found.input == femtodollars(1e-6)
    assert [(tier.above_tokens, tier.price.input) for tier in found.tiers] == [(5, femtodollars(2e-6))]


@pytest.mark.parametrize("name", ["own", "own/*"])
def test_a_price_that_cannot_be_meant_is_refused_at_once_with_the_model(name: str) -> None:
    with pytest.raises(Misconfigured, match=r"own.*tiered_pricing"):
        made(name, tiered_pricing=msgspec.Raw(b'"cheap"'))


@pytest.mark.parametrize(
    ("entries", "weights"),
    [
        ([{}, {}], [1, 1]),
        ([{"weight": 3}, {"weight": 0}], [3, 0]),
        ([{"weight": 0}, {"weight": 0}], [1, 1]),
        ([{"weight": 3, "rpm": 100}, {"rpm": 100}], [3, 0]),
        ([{"rpm": 100}, {"rpm": 300, "tpm": 9}], [100, 300]),
        ([{"tpm": 5}, {}], [5, 0]),
    ],
)
def test_a_group_shares_its_requests_by_one_measure(entries: list[dict[str, Any]], weights: list[float]) -> None:
    model_list = [
        ModelEntry(
            model_name="own",
            litellm_params=LiteLLMParams(model="openai/a", api_base=f"http://10.0.0.{place}/v1", **params),
        )
        for place, params in enumerate(entries)
    ]
    other = ModelEntry(
        model_name="other", litellm_params=LiteLLMParams(model="openai/a", api_base="http://10.0.0.9/v1", rpm=7)
    )
    found = configured(Settings(model_list=(other, *model_list)), {}, Catalog()).deployments
    assert [deployment.weight for deployment in found] == [7, *weights]


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-mini-2024-07-18", "text-embedding-3-small", "ft:gpt-4o:us::id"])
def test_a_model_that_openai_is_known_for_needs_no_provider(model: str) -> None:
    assert [one.provider for one in made(model=model, api_base=None).deployments] == ["openai"]


@pytest.mark.parametrize("model", ["llama3.2", "claude-sonnet-4-5", "mistral:7b", "gpt-oss:20b"])
def test_another_model_without_a_provider_is_left_out_instead_of_sent_to_openai(model: str) -> None:
    result = made(model=model, api_base=None)
    assert not result.deployments
    assert "write provider/model" in result.skipped[0].reason and repr(model) in str(result.skipped[0])


def test_a_model_with_an_address_or_a_forced_provider_needs_no_known_name() -> None:
    assert made(model="llama3.2").deployments
    assert made(model="llama3.2", api_base=None, custom_llm_provider="ollama").deployments[0].provider == "ollama"


def test_a_wildcard_without_a_provider_serves_what_openai_is_known_for() -> None:
    pattern = made("*", model="*", api_base=None).patterns[0]
    assert pattern.expand("gpt-4o", ("gpt-4o",)) is not None
    assert pattern.expand("llama3.2", ("llama3.2",)) is None
    assert RoutingTable((), patterns=(pattern,)).resolve("llama3.2") is None


@pytest.mark.parametrize(
    ("model", "said", "mode"),
    [
        ("ollama/nomic-embed-text", None, "embedding"),
        ("hosted_vllm/BAAI/bge-m3", None, "embedding"),
        ("openai/text-embedding-3-small", None, "embedding"),
        ("ollama_chat/mistral:7b", None, "chat"),
        ("openai/gpt-3.5-turbo-instruct", None, "completion"),
        ("ollama/nomic-embed-text", "chat", "chat"),
        ("ollama/llama3.2", None, "chat"),
        ("ollama/llama3.2", "embedding", "embedding"),
    ],
)
def test_what_a_model_is_for(model: str, said: str | None, mode: str) -> None:
    assert made(info=ModelInfo(mode=said), model=model).deployments[0].mode == mode


def test_a_model_may_be_said_to_have_no_other_route_than_responses() -> None:
    for name in ("openai/responses/nobody-knows-it", "azure/responses/nobody-knows-it"):
        (deployment,) = made(model=name).deployments
        assert (deployment.model, deployment.mode, deployment.litellm_model) == ("nobody-knows-it", "responses", name)
    (known,) = made(model="openai/o3-pro").deployments
    assert known.mode == "responses"


@pytest.mark.parametrize(
    ("params", "local", "expected"),
    [
        ({}, PointsmanSettings(), (600.0, None, None)),
        ({"stream_timeout": 30.0}, PointsmanSettings(), (600.0, None, 30.0)),
        ({"timeout": 1800.0, "stream_timeout": 30.0}, PointsmanSettings(), (1800.0, 1800.0, 30.0)),
        ({"stream_timeout": 900.0}, PointsmanSettings(), (900.0, None, 900.0)),
        ({"timeout": 1800.0}, PointsmanSettings(upstream_load_timeout_seconds=90.0), (90.0, 1800.0, None)),
        ({"timeout": 60.0}, PointsmanSettings(first_token_timeout_seconds=20.0), (600.0, 60.0, 20.0)),
    ],
)
def test_a_bound_of_streams_is_none_of_whole_answers_and_who_may_take_long_may_be_silent_as_long(
    params: dict[str, float], local: PointsmanSettings, expected: tuple[float, float | None, float | None]
) -> None:
    given: dict[str, Any] = {"model": "openai/nobody-knows-it", "api_base": "http://10.0.0.7/v1", **params}
    entry = ModelEntry(model_name="own", litellm_params=LiteLLMParams(**given), model_info=ModelInfo())
    settings = Settings(model_list=(entry,), local=local)
    found = configured(settings, {}, Catalog()).deployments[0].timeouts
    assert (found.load, found.total, found.first_token) == expected


@pytest.mark.parametrize(
    ("name", "params", "some"),
    [
        ("openai/*", {"model": "openai/*"}, {"openai/gpt-4o", "openai/text-embedding-3-small"}),
        ("*", {"model": "openai/*"}, {"gpt-4o", "text-embedding-3-small"}),
        ("mine/*", {"model": "anthropic/claude-*"}, {"mine/sonnet-4-5"}),
        ("openai/*", {"model": "openai/*", "api_base": "http://10.0.0.7/v1"}, set()),
        ("ollama/*", {"model": "ollama_chat/*"}, set()),
        ("azure/*", {"model": "azure/*", "api_base": "https://mine.openai.azure.com"}, set()),
        ("x/*/*", {"model": "openai/*"}, set()),
    ],
)
def test_what_a_wildcard_is_known_to_stand_for(name: str, params: dict[str, Any], some: set[str]) -> None:
    entry = ModelEntry(model_name=name, litellm_params=LiteLLMParams(api_key=Secret("k"), **params))
    made = configured(Settings(model_list=(entry,)), {}, Catalog())
    table = RoutingTable((), patterns=made.patterns)
    assert some <= set(table.expected) and bool(some) == bool(table.expected)
    assert all(table.resolve(each) is not None for each in table.expected)
    assert not any("-x-" in each or each.startswith("ft:") for each in table.expected)
