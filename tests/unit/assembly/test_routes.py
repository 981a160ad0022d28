from __future__ import annotations

import pytest

from pointsman.assembly.deployments import LeftOut
from pointsman.assembly.routes import hint_for
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
