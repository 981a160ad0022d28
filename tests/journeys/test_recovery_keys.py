"""Several keys at one provider: a dead one is set aside, a limited one rests, and clients notice neither."""

from __future__ import annotations

import time

from tests.support.configs import openai_entry
from tests.support.gateway import Launch
from tests.support.load import ask_many
from tests.upstreams import FakeOpenAI, Reply
from tests.upstreams.recorded import RecordedRequest


class Provider(FakeOpenAI):
    """Looks at the key: what stands in ``says`` for it is its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.says: dict[str, Reply] = {}

    async def respond(self, request: RecordedRequest) -> Reply:
        return self.says.get(self.key_of(request)) or await super().respond(request)

    @staticmethod
    def key_of(request: RecordedRequest) -> str:
        return (request.header("authorization") or "").removeprefix("Bearer ")

    def asked_with(self, key: str) -> int:
        return sum(self.key_of(request) == key for request in self.inference)


def test_a_dead_key_is_asked_once_whichever_of_its_models_is_asked_for(launch: Launch) -> None:
    with Provider() as provider:
        models = [openai_entry(name, provider, {"id": f"{name}-{key}"}, api_key=key, model=f"openai/{name}")
                  for name in ("m", "n") for key in ("sk-dead", "sk-good")]  # fmt: skip
        gateway = launch({"model_list": models, "router_settings": {"cooldown_time": 60}})
        provider.says["sk-dead"] = Reply.error(401, "Incorrect API key provided")
        for model in ("m", "n", "m", "n"):
            assert {served.status for served in ask_many(gateway, model, 25, at_once=1)} == {200}
        assert provider.asked_with("sk-dead") == 1
        assert len(provider.inference) == 101


def test_a_limited_key_rests_as_long_as_the_provider_says(launch: Launch) -> None:
    with Provider() as provider:
        models = [openai_entry("m", provider, {"id": key}, api_key=key) for key in ("sk-one", "sk-two")]
        gateway = launch({"model_list": models, "router_settings": {"cooldown_time": 0.1}})
        provider.says["sk-one"] = Reply.error(429, "slow down", retry_after="2")
        while not provider.asked_with("sk-one"):
            assert gateway.chat("m").status == 200
        rested_at = time.monotonic()
        del provider.says["sk-one"]
        assert {served.status for served in ask_many(gateway, "m", 40)} == {200}
        assert time.monotonic() - rested_at < 1.9, "so that what follows means something"
        assert provider.asked_with("sk-one") == 1
        while provider.asked_with("sk-one") < 2:
            assert gateway.chat("m").status == 200
            assert time.monotonic() - rested_at < 4.0
        assert time.monotonic() - rested_at >= 1.8


def test_keys_that_are_all_limited_are_waited_for_by_nobody_and_the_client_is_told_when(launch: Launch) -> None:
    with Provider() as provider:
        models = [openai_entry("m", provider, {"id": key}, api_key=key) for key in ("sk-one", "sk-two")]
        gateway = launch({"model_list": models})
        provider.always(Reply.error(429, "slow down", retry_after="30"))
        served = ask_many(gateway, "m", 40)
        assert {one.status for one in served} == {429}
        assert len(provider.inference) <= 16, "a storm is not answered by a storm"
        last = gateway.chat("m")
        assert 20 <= int(last.headers["retry-after"]) <= 30 and "all of them failed lately" in last.error["message"]
