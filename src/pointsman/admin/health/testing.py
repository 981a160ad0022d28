"""``POST /health/test_connection``: one real call, because the operator asks for it.

Only what is configured can be called: where a request goes and with whose key is never the caller's to say.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from pointsman.admin.models.description import address_without_secrets
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed, NotFound
from pointsman.core.upstream import Deployment

__all__ = ["TestConnectionReply", "TestConnectionRequest", "TestConnectionResult", "test_connection"]

_NAMING: Final = frozenset({"model", "custom_llm_provider"})


class _Named(msgspec.Struct, frozen=True):
    id: str | None = None


class TestConnectionRequest(msgspec.Struct, frozen=True):
    """A deployment by its id (``model_info.id``), or the first of a model's (``litellm_params.model``).

    ``mode`` is LiteLLM's word for the kind of call; left out: what the model is for.
    """

    litellm_params: dict[str, msgspec.Raw] = {}
    model_info: _Named = _Named()
    mode: str | None = None


class TestConnectionResult(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The deployment that was called, and what came of it; the call is in the ledger like any other."""

    model: str
    model_id: str
    model_name: str
    custom_llm_provider: str
    mode: str
    api_base: str
    response_time_ms: float
    time_to_first_token_ms: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None
    hint: str | None = None


class TestConnectionReply(msgspec.Struct, frozen=True):
    """LiteLLM's shape."""

    status: Literal["success", "error"]
    result: TestConnectionResult


async def test_connection(office: Office, visit: Visit[Nothing, TestConnectionRequest]) -> Answer:
    """Call a deployment once, for a few tokens."""
    deployment = _meant(office, visit.body)
    trial = await office.try_model(deployment, visit.body.mode, visit.caller)
    error = trial.error
    first = trial.first_seconds
    result = TestConnectionResult(
        model=deployment.litellm_model,
        model_id=deployment.id,
        model_name=deployment.group,
        custom_llm_provider=deployment.provider,
        mode=visit.body.mode or deployment.mode,
        api_base=address_without_secrets(deployment.api_base),
        response_time_ms=round((trial.ended_at - trial.began_at) * 1000.0, 3),
        time_to_first_token_ms=None if first is None else round(first * 1000.0, 3),
        prompt_tokens=trial.usage.prompt,
        completion_tokens=trial.usage.completion,
        error=None if error is None else error.message,
        hint=None if error is None else error.hint,
    )
    return Answer(TestConnectionReply("success" if error is None else "error", result))


def _meant(office: Office, body: TestConnectionRequest) -> Deployment:
    """The deployment to be called.

    Raises:
        Malformed: it is not named, or the body wants to say how it is reached.
        NotFound: there is none such.
    """
    foreign = sorted(body.litellm_params.keys() - _NAMING)
    if foreign:
        raise Malformed(
            f"A test does not take {foreign[0]!r}: only what is configured can be called.",
            hint="Name the model alone; put the rest into the configuration.",
            param=f"litellm_params.{foreign[0]}",
        )
    table = office.table()
    if body.model_info.id is not None:
        found = next((one for one in table.deployments if one.id == body.model_info.id), None)
        if found is None:
            raise NotFound("There is no deployment with this id.", hint="GET /model/info has all.", param="model_info")
        return found
    name = _model_in(body)
    group = table.resolve(name)
    found = group.deployments[0] if group is not None else None
    found = found or next((one for one in table.deployments if one.litellm_model == name), None)
    if found is None:
        raise NotFound("This model is not served here.", hint="GET /model/info has all.", param="litellm_params.model")
    return found


def _model_in(body: TestConnectionRequest) -> str:
    raw = body.litellm_params.get("model")
    try:
        return msgspec.json.decode(raw or b"", type=str)
    except msgspec.MsgspecError:
        raise Malformed(
            "litellm_params.model must be the name of a model.",
            hint='For example {"litellm_params": {"model": "llama3.2"}}.',
            param="litellm_params.model",
        ) from None
