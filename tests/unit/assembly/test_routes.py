from __future__ import annotations

import msgspec
import pytest

from pointsman.assembly.deployments import Configured, LeftOut, configured
from pointsman.assembly.routes import RouteMaker, hint_for
from pointsman.catalog.lookup import Catalog
from pointsman.config.sections import LocalHost, PointsmanSettings, Settings
from pointsman.providers.discovery import FoundHost, FoundModel
from pointsman.routing.table import RoutingTable

LEFT_OUT = (
    LeftOut("model_list[0]", "claude", "the provider 'anthropic' is not supported yet"),
    LeftOut("model_list[1]", "gemini/*", "the provider 'gemini' is not supported yet"),
)


@pytest.mark.parametrize("name", ["claude", "gemini/flash"])
@pytest.mark.parametrize("has_ollama", [False, True])
def test_whoever_asks_for_what_was_left_out_is_told_so(name: str, has_ollama: bool) -> None:
    hint = hint_for(RoutingTable([]), name, LEFT_OUT, has_ollama=has_ollama)
    assert hint.startswith("The configuration has it, but it is left out: the provider '")


def test_any_other_name_is_to_be_pulled_or_looked_up() -> None:
    assert "ollama pull qwen3" in hint_for(RoutingTable([]), "ollama/qwen3", LEFT_OUT, has_ollama=True)
    assert "/v1/models" in hint_for(RoutingTable([]), "qwen3", LEFT_OUT, has_ollama=False)


def test_a_model_of_several_hosts_is_one_group_whose_members_have_the_bounds_of_their_hosts() -> None:
    model = FoundModel("llama3.2:latest", "llama3.2", ("llama3.2:latest",))
    hosts = tuple(
        FoundHost("ollama", f"http://gpu{number}:11434", online=number != 2, models=(model,)) for number in (1, 2, 3)
    )
    said = (LocalHost(api_base="http://gpu1:11434", num_ctx_max=4096),)
    maker = RouteMaker(None)
    maker.configure(
        Settings(local=PointsmanSettings(local_hosts=said, num_ctx_max=8192)), Configured((), (), ()), Catalog()
    )
    maker.found(hosts)
    for name in ("llama3.2", "llama3.2:latest"):
        group = maker.table().resolve(name)
        assert group is not None
        assert [(each.api_base, each.num_ctx_max) for each in group.deployments] == [
            ("http://gpu1:11434", 4096), ("http://gpu2:11434", 8192), ("http://gpu3:11434", 8192),
        ]  # fmt: skip


def test_a_wildcard_before_a_local_server_stands_for_what_was_found_there() -> None:
    entry = {"model_name": "local/*", "litellm_params": {"model": "ollama_chat/*", "api_base": "http://gpu1:11434"}}
    unseen = {"model_name": "far/*", "litellm_params": {"model": "ollama_chat/*", "api_base": "http://gpu3:11434"}}
    settings = msgspec.convert({"model_list": [entry, unseen]}, Settings)
    maker = RouteMaker(None)
    maker.configure(settings, configured(settings, {}, Catalog()), Catalog())
    found = FoundModel("qwen3:8b", "qwen3:8b")
    maker.found(
        (
            FoundHost("ollama", "http://gpu1:11434", online=True, models=(found,)),
            FoundHost("ollama", "http://gpu2:11434", online=True, models=(FoundModel("other", "other"),)),
        )
    )
    table = maker.table()
    assert table.expected == ("local/qwen3:8b",)
    group = table.resolve("local/qwen3:8b")
    assert group is not None and [one.model for one in group.deployments] == ["qwen3:8b"]
