"""The far sides of watsonx.ai's chat and embeddings.

Sources: https://cloud.ibm.com/apidocs/watsonx-ai#text-chat, …#text-chat-stream, …#deployments-text-chat,
…#text-embeddings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from pointsman.core.call import Call, EmbeddingCall, Reasoning
from pointsman.core.errors import Unsupported
from pointsman.core.events import Event, Failed
from pointsman.core.upstream import Deployment, Outbound
from pointsman.dialects.openai_chat.replies import read_reply
from pointsman.dialects.openai_chat.requests import write_request
from pointsman.dialects.openai_chat.streams import StreamReader
from pointsman.dialects.watsonx.embeddings import read_embeddings, write_embedding_request
from pointsman.dialects.watsonx.errors import read_error, read_stream_error
from pointsman.dialects.watsonx.knobs import refuse_or_drop
from pointsman.dialects.watsonx.requests import fit_content, rewrite_request
from pointsman.providers.efforts import effort_for
from pointsman.providers.translated.embeddings import EmbeddingReading
from pointsman.providers.translated.native_tools import claimed
from pointsman.providers.translated.sides import Reading, SseFrames
from pointsman.providers.translated.tools import demand_known_tools, without_foreign_tools
from pointsman.providers.watsonx.access import watsonx_access
from pointsman.wire.model_paths import demand_no_steps

__all__ = ["WatsonxEmbeddingFar", "WatsonxFar", "WatsonxStreamReader"]

API_VERSION: Final = "2024-03-13"
"""Where nobody says; as in LiteLLM 1.109.1."""

_DIALECT: Final = "watsonx"
_DEPLOYMENT: Final = "deployment/"
"""What LiteLLM's users put before the id of a model that is deployed in a space of their own."""

_THINKER: Final = "gpt-oss"
_ERRORS: Final = b'"errors"'
_EFFORTS: Final = {"minimal": "low", "xhigh": "high", "max": "high"}
"""It knows low, medium and high."""


class WatsonxFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`."""

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        drop_params = deployment.drop_params
        call = claimed(call, _DIALECT, drop_params=drop_params)
        call = without_foreign_tools(call, _DIALECT, drop_params=drop_params)
        demand_known_tools(call, _DIALECT)
        call = refuse_or_drop(call, drop_params=drop_params, additional=deployment.additional_drop_params)
        call = fit_content(msgspec.structs.replace(call, reasoning=_fit_reasoning(call.reasoning, deployment)))
        body = write_request(call, deployment.model, include_usage=False)
        return Outbound(_chat_path(deployment, stream=call.stream), rewrite_request(body, _place(deployment)))

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        return Reading(SseFrames(), WatsonxStreamReader(), read_reply, read_error)


class WatsonxStreamReader:
    """Reads the data of events: chunks of OpenAI's chat, or an error of watsonx.ai's own."""

    def __init__(self) -> None:
        self._reader = StreamReader()
        self._failed = False

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one frame."""
        if self._failed:
            return []
        error = read_stream_error(frame) if _ERRORS in frame else None
        if error is None:
            return self._reader.feed(frame)
        self._failed = True
        return [Failed(error)]

    def end(self) -> list[Event]:
        """What the end of the stream means."""
        return [] if self._failed else self._reader.end()


class WatsonxEmbeddingFar:
    """See :class:`pointsman.providers.translated.embeddings.EmbeddingFar`."""

    def write(self, call: EmbeddingCall, deployment: Deployment) -> Outbound:
        """See the protocol."""
        if deployment.model.startswith(_DEPLOYMENT):
            raise Unsupported(
                "watsonx.ai has no embeddings of deployments.",
                hint="Choose a model that is named by its id.",
                param="model",
                code="unsupported_operation",
            )
        body = write_embedding_request(
            call,
            _place(deployment),
            drop_params=deployment.drop_params,
            additional=deployment.additional_drop_params,
        )
        return Outbound(f"/ml/v1/text/embeddings?{_version(deployment)}".encode("ascii"), body)

    def reading(self, call: EmbeddingCall, deployment: Deployment) -> EmbeddingReading:
        """See the protocol."""
        return EmbeddingReading(lambda body: read_embeddings(body, deployment.model, len(call.inputs)), read_error)


def _chat_path(deployment: Deployment, *, stream: bool) -> bytes:
    model = deployment.model
    place = "text"
    if model.startswith(_DEPLOYMENT):
        name = model.removeprefix(_DEPLOYMENT)
        demand_no_steps(name)
        place = f"deployments/{quote(name, safe='')}/text"
    return f"/ml/v1/{place}/{'chat_stream' if stream else 'chat'}?{_version(deployment)}".encode("ascii")


def _version(deployment: Deployment) -> str:
    return f"version={quote(watsonx_access(deployment).api_version or API_VERSION, safe='')}"


def _place(deployment: Deployment) -> Mapping[str, str]:
    """What stands in a body for the model and who pays; a deployment knows both itself."""
    if deployment.model.startswith(_DEPLOYMENT):
        return {}
    access = watsonx_access(deployment)
    if access.project_id is not None:
        return {"model_id": deployment.model, "project_id": access.project_id}
    return {"model_id": deployment.model, **({} if access.space_id is None else {"space_id": access.space_id})}


def _fit_reasoning(reasoning: Reasoning | None, deployment: Deployment) -> Reasoning | None:
    """A wish to think as an effort; a client that asks every model to think means no harm to one that cannot."""
    if reasoning is None:
        return None
    word = reasoning.effort
    if word is None:
        if "reasoning" not in deployment.capabilities and _THINKER not in deployment.model:
            return None
        word = "medium" if reasoning.budget_tokens is None else effort_for(reasoning.budget_tokens)
    return Reasoning(_EFFORTS.get(word, word))
