"""Where Redis is, as the several places of a configuration say it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pointsman.assembly.replica_settings import redis_settings
from pointsman.config.load import load
from pointsman.stores.redis.settings import RedisSettings


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., RedisSettings | None]:
    def read(text: str = "", **environment: str) -> RedisSettings | None:
        path = tmp_path / "c.yaml"
        path.write_text(text or "{}")
        return redis_settings(load(path, environment))

    return read


def url(found: RedisSettings | None) -> str | None:
    return None if found is None else found.url.reveal()


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
