"""What a configuration says of retries, fallbacks and rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from pointsman.assembly.deployments import configured
from pointsman.assembly.from_settings import routing_settings
from pointsman.catalog.lookup import Catalog
from pointsman.config.load import Loaded, load
from pointsman.core.errors import Misconfigured
from pointsman.core.rules import Target
from pointsman.routing.failures import Failure
from pointsman.routing.settings import RoutingSettings


@pytest.fixture
def loaded(tmp_path: Path) -> Any:
    def read(**sections: Any) -> Loaded:
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(sections))
        return load(path, {})

    return read


def test_said_nothing_litellms_defaults_hold(loaded: Any) -> None:
    made = routing_settings(loaded())
    assert (made.num_retries, made.max_fallbacks, made.cooldown_seconds) == (2, 5, 5.0)
    assert made.cools_down and made.allowed_fails is None and made.falls_back_when_unsupported
    assert made.retry_budget == RoutingSettings().retry_budget
    assert made.wait_seconds_max == RoutingSettings().wait_seconds_max


def test_policies_are_read_by_litellms_names(loaded: Any) -> None:
    made = routing_settings(loaded(router_settings={
        "retry_policy": {"RateLimitErrorRetries": 3, "DefaultRetries": 1},
        "model_group_retry_policy": {"m": {"TimeoutErrorRetries": 0}},
        "allowed_fails_policy": {"BadGatewayErrorAllowedFails": 9},
        "allowed_fails": 4,
    }))  # fmt: skip
    assert made.retry_policy == {Failure.RATE_LIMIT: 3, Failure.OTHER: 1}
    assert made.group_retry_policies == {"m": {Failure.TIMEOUT: 0}}
    assert made.allowed_fails_policy == {Failure.BAD_GATEWAY: 9} and made.allowed_fails == 4


def test_a_kind_that_is_misspelt_is_warned_of_with_the_nearest(loaded: Any) -> None:
    (warning,) = loaded(router_settings={"retry_policy": {"RateLimitErrorRetry": 3}}).warnings
    assert warning.path == "router_settings.retry_policy.RateLimitErrorRetry"
    assert warning.hint == "Did you mean RateLimitErrorRetries?"


def test_the_routers_word_counts_before_litellms(loaded: Any) -> None:
    both = {"num_retries": 1, "allowed_fails": 7, "fallbacks": [{"a": ["b"]}], "default_fallbacks": ["c"]}
    made = routing_settings(loaded(litellm_settings=both))
    assert (made.num_retries, made.allowed_fails) == (1, 7)
    assert made.fallbacks.general == {"a": (Target("b"),)} and made.fallbacks.default == (Target("c"),)
    made = routing_settings(loaded(litellm_settings=both, router_settings={"num_retries": 0, "fallbacks": [{"x": []}]}))
    assert made.num_retries == 0 and made.fallbacks.general == {"x": ()}


def test_a_target_may_be_a_map(loaded: Any) -> None:
    made = routing_settings(loaded(router_settings={"fallbacks": [{"a": [{"model": "b", "temperature": 0}]}]}))
    assert made.fallbacks.general == {"a": (Target("b", {"temperature": msgspec.Raw(b"0")}),)}


@pytest.mark.parametrize(
    ("target", "said"),
    [({"model": "b", "api_key": "sk"}, "api_key cannot be set"), ({"temperature": 0}, "name of a model"),
     (7, "name of a model"), ({"model": "b", "fallbacks": ["c"]}, "fallbacks cannot be set")],
)  # fmt: skip
def test_what_it_cannot_set_is_refused_by_name(loaded: Any, target: object, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        routing_settings(loaded(router_settings={"context_window_fallbacks": [{"a": [target]}]}))


def test_general_settings_and_our_own_count_too(loaded: Any) -> None:
    made = routing_settings(loaded(
        general_settings={"enforce_fallback_model_access": True, "expose_fallback_errors_to_caller": True},
        router_settings={"fallback_on_unsupported_params": False, "disable_cooldowns": True, "retry_after": 3},
        pointsman={"retry_wait_seconds_max": 1, "retry_budget_percent": 50},
    ))  # fmt: skip
    assert made.demands_fallback_access and made.tells_fallback_errors and not made.falls_back_when_unsupported
    assert (made.cools_down, made.retry_after, made.wait_seconds_max, made.retry_budget) == (False, 3.0, 1.0, 0.5)


def test_a_deployment_has_words_of_its_own(loaded: Any) -> None:
    def params(**more: Any) -> dict[str, Any]:
        return {"model": "openai/m", "api_base": "http://127.0.0.1:9/v1", **more}

    given = [params(num_retries=1, max_retries=5, cooldown_time=9), params(max_retries=5, stream_timeout=3), params()]
    made = loaded(
        model_list=[{"model_name": str(number), "litellm_params": one} for number, one in enumerate(given)],
        pointsman={"first_token_timeout_seconds": 20},
    )
    first, second, third = configured(made.settings, {}, Catalog()).deployments
    assert (first.num_retries, first.cooldown_seconds, first.timeouts.first_token) == (1, 9.0, 20.0)
    assert (second.num_retries, second.timeouts.first_token) == (5, 3.0)
    assert (third.num_retries, third.cooldown_seconds) == (None, None)
