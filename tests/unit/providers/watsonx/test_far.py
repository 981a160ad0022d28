"""Where watsonx.ai is asked, how hard its models think, and how its streams end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.core.access import IbmAccess
from pointsman.core.call import Call, Reasoning
from pointsman.core.content import Message, Text
from pointsman.core.errors import Malformed
from pointsman.core.events import Failed, Finished, UsageReported
from pointsman.core.upstream import Deployment
from pointsman.providers.watsonx import WatsonxFar
from pointsman.providers.watsonx.far import WatsonxStreamReader

GRANITE = "ibm/granite-3-3-8b-instruct"


def written(model: str = GRANITE, access: IbmAccess | None = None, **fields: Any) -> tuple[bytes, dict[str, Any]]:
    deployment = Deployment(
        id="d", group="public", provider="watsonx", model=model, litellm_model=f"watsonx/{model}",
        api_base="https://x", price=None, access=access or IbmAccess(project_id="p", space_id="s"),
    )  # fmt: skip
    outbound = WatsonxFar().write(Call("public", (Message("user", (Text("hi"),)),), **fields), deployment)
    return outbound.path, json.loads(outbound.body)


def test_the_project_goes_before_the_space() -> None:
    assert {"project_id": "p"}.items() <= written()[1].items() and "space_id" not in written()[1]
    assert written(access=IbmAccess(space_id="s"))[1]["space_id"] == "s"


def test_a_name_leads_nowhere_else() -> None:
    path, body = written("deployment/a/b?x", stream=True)
    assert path == b"/ml/v1/deployments/a%2Fb%3Fx/text/chat_stream?version=2024-03-13"
    assert not {"model_id", "project_id", "space_id"} & body.keys()
    for name in ("deployment/..", "deployment/../../v2/x"):
        with pytest.raises(Malformed):
            written(name)
    assert written(access=IbmAccess(project_id="p", api_version="1&x=2"))[0] == b"/ml/v1/text/chat?version=1%26x%3D2"


@pytest.mark.parametrize(
    ("model", "reasoning", "effort"),
    [
        (GRANITE, Reasoning("minimal"), "low"),
        (GRANITE, Reasoning("xhigh"), "high"),
        (GRANITE, Reasoning("none"), None),
        (GRANITE, Reasoning(budget_tokens=4096, enabled=True), None),
        ("openai/gpt-oss-120b", Reasoning(budget_tokens=512, enabled=True), "low"),
        ("openai/gpt-oss-120b", Reasoning(enabled=True), "medium"),
        ("openai/gpt-oss-120b", Reasoning(enabled=False), None),
    ],
)
def test_how_hard_to_think_is_an_effort(model: str, reasoning: Reasoning, effort: str | None) -> None:
    sent = written(model, reasoning=reasoning)[1]
    assert sent.get("reasoning_effort") == effort
    assert not {"thinking", "reasoning"} & sent.keys()


def test_a_stream_ends_without_being_told_so_unless_it_failed() -> None:
    choice = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
    counts = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    reader = WatsonxStreamReader()
    events = reader.feed(json.dumps({"id": "c", "created": 1, "choices": [choice], "usage": counts}).encode())
    assert isinstance(events[-1], Finished)
    assert [type(event) for event in reader.end()] == [UsageReported]
    broken = WatsonxStreamReader()
    (failed,) = broken.feed(b'{"errors":[{"code":"c","message":"gone"}],"status_code":500}')
    assert isinstance(failed, Failed) and "gone" in failed.error.message
    assert broken.feed(b"{}") == broken.end() == []
