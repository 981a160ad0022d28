"""Where Redis is, as the several places of a configuration say it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pointsman.assembly.replica_settings import redis_settings
from pointsman.config.findings import ConfigRefused
from pointsman.config.load import load
from pointsman.core.secret import Secret
from pointsman.stores.redis.settings import Cluster, Node, RedisSettings, Sentinels


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., RedisSettings | None]:
    def read(text: str = "", **environment: str) -> RedisSettings | None:
        path = tmp_path / "c.yaml"
        path.write_text(text or "{}")
        return redis_settings(load(path, environment))

    return read


def url(found: RedisSettings | None) -> str | None:
    return found.at.reveal() if found is not None and isinstance(found.at, Secret) else None


def test_without_an_address_there_is_none(settings: Callable[..., RedisSettings | None]) -> None:
    assert settings() is None
    assert settings("litellm_settings: {cache_params: {type: local, host: h}}") is None


def test_every_place_is_heeded_and_the_most_particular_wins(settings: Callable[..., RedisSettings | None]) -> None:
    environment = {"REDIS_HOST": "env", "REDIS_SSL": "true"}
    assert url(settings(**environment)) == "rediss://env:6379"
    cache = "litellm_settings: {cache_params: {type: redis, host: cache, port: '6380', password: p}}\n"
    assert url(settings(cache, **environment)) == "redis://cache:6380"
    router = cache + "router_settings: {redis_host: '::1', redis_port: 1, redis_db: 3}\n"
    found = settings(router, **environment)
    assert (url(found), found and found.database) == ("redis://[::1]:1", 3)
    own = router + "general_settings: {coordination_redis: {url: redis://own/4, username: u, password: p}}\n"
    found = settings(own, **environment)
    assert (url(found), found and found.username) == ("redis://own/4", "u")
    assert "redis://own" not in repr(found)


def test_our_own_settings_are_taken(settings: Callable[..., RedisSettings | None]) -> None:
    found = settings("pointsman: {redis_namespace: blue, redis_timeout_seconds: 0.1}", REDIS_URL="redis://h")
    assert found is not None and (found.namespace, found.command_seconds) == ("blue", 0.1)


def test_a_cluster_is_found_wherever_it_is_named(settings: Callable[..., RedisSettings | None]) -> None:
    nodes = Cluster((Node("a", 7001), Node("b", 6379)))
    own = "general_settings: {coordination_redis: {startup_nodes: [{host: a, port: '7001'}, {host: b}], url: 'x://y'}}"
    cache = "litellm_settings: {cache_params: {type: redis, redis_startup_nodes: [{host: a, port: 7001}, {host: b}]}}"
    environment = '[{"host": "a", "port": "7001"}, {"host": "b"}]'
    for found in (settings(own), settings(cache), settings(REDIS_CLUSTER_NODES=environment)):
        assert found is not None and found.at == nodes
    assert (found := settings(REDIS_CLUSTER_NODES=environment, REDIS_SSL="1")) and found.at == Cluster(
        nodes.nodes, True
    )


def test_sentinels_are_found_wherever_they_are_named(settings: Callable[..., RedisSettings | None]) -> None:
    said = "sentinel_nodes: [[a, 26379], [b, '26380']], sentinel_password: s, service_name: blue, password: p"
    own = f"general_settings: {{coordination_redis: {{{said}}}}}"
    for found in (settings(own), settings(f"litellm_settings: {{cache_params: {{type: redis, {said}}}}}")):
        assert found is not None and isinstance(found.at, Sentinels)
        assert (found.at.nodes, found.at.service) == ((Node("a", 26379), Node("b", 26380)), "blue")
        assert found.at.password is not None and found.at.password.reveal() == "s"
        assert found.password is not None and found.password.reveal() == "p"
    alone = settings(REDIS_SENTINEL_NODES='[["a", 26379]]')
    assert alone is not None and isinstance(alone.at, Sentinels) and alone.at.service == "mymaster"


def test_a_sentinel_is_a_host_and_a_port(settings: Callable[..., RedisSettings | None]) -> None:
    with pytest.raises(ConfigRefused, match=r"sentinel_nodes\[0\]: expected a list of 2, found one of 1"):
        settings("general_settings: {coordination_redis: {sentinel_nodes: [[a]]}}")


@pytest.mark.parametrize("variable", ["REDIS_CLUSTER_NODES", "REDIS_SENTINEL_NODES"])
def test_nodes_that_cannot_be_read_keep_it_from_starting(
    settings: Callable[..., RedisSettings | None], variable: str
) -> None:
    with pytest.raises(ConfigRefused, match=variable):
        settings(**{variable: "a:7001"})
