"""No model's name leads a request to another path than that of a model."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.core.errors import Malformed
from pointsman.core.upstream import Deployment, Operation
from pointsman.dialects.gemini.requests import path_of
from pointsman.dialects.gemini.types import GeminiTarget
from pointsman.providers.azure.places import azure_path
from pointsman.providers.bedrock.place import model_path
from pointsman.wire.model_paths import demand_no_steps

PLAIN = Deployment(id="d", group="g", provider="azure", model="m", litellm_model="m", api_base="http://x", price=None)
STEPS = ["..", "../../files", "a/../b", "a/..", "./a", "a\\..\\b"]


@pytest.mark.parametrize("model", STEPS)
def test_a_name_that_steps_out_is_refused(model: str) -> None:
    own = msgspec.structs.replace(PLAIN, model=model)
    for write in (
        lambda: demand_no_steps(model),
        lambda: path_of(GeminiTarget(model), "generateContent"),
        lambda: azure_path(own, Operation.CHAT, "2024-10-21"),
        lambda: model_path(own, stream=False),
    ):
        with pytest.raises(Malformed) as refused:
            write()
        assert refused.value.param == "model"


@pytest.mark.parametrize("model", ["gpt-4.1", "a..b", ".a", "a/b.c", "..a/b..", "anthropic.claude-v2:1"])
def test_dots_in_a_name_are_nothing_special(model: str) -> None:
    demand_no_steps(model)
