"""The far sides of Cohere's chat and embeddings."""

from __future__ import annotations

from pointsman.core.call import Call, EmbeddingCall
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.upstream import Deployment, Outbound
from pointsman.dialects.cohere_chat.embeddings import read_embeddings, write_embedding_request
from pointsman.dialects.cohere_chat.errors import read_error
from pointsman.dialects.cohere_chat.knobs import refuse_or_drop
from pointsman.dialects.cohere_chat.replies import read_reply
from pointsman.dialects.cohere_chat.requests import write_request
from pointsman.dialects.cohere_chat.streams import StreamReader
from pointsman.providers.translated.embeddings import EmbeddingReading
from pointsman.providers.translated.native_tools import claimed
from pointsman.providers.translated.sides import Reading, SseFrames
from pointsman.providers.translated.tools import demand_known_tools, without_foreign_tools

__all__ = ["CohereEmbeddingFar", "CohereFar"]


class CohereFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`. Cohere does not say when an answer was made."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        call = claimed(call, "cohere_chat", drop_params=deployment.drop_params)
        call = without_foreign_tools(call, "cohere_chat", drop_params=deployment.drop_params)
        demand_known_tools(call, "cohere_chat")
        thinks = _thinks(deployment)
        call = refuse_or_drop(
            call, thinks=thinks, drop_params=deployment.drop_params, additional=deployment.additional_drop_params
        )
        return Outbound(b"/v2/chat", write_request(call, deployment.model, thinks=thinks))

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        reader = StreamReader(
            deployment.model,
            stop=call.sampling.stop or (),
            single_tool_call=call.parallel_tool_calls is False,
            clock=self._clock,
        )
        return Reading(
            SseFrames(),
            reader,
            lambda body: read_reply(body, reader),
            lambda status, body: read_error(status, body, deployment.model),
        )


class CohereEmbeddingFar:
    """See :class:`pointsman.providers.translated.embeddings.EmbeddingFar`."""

    def write(self, call: EmbeddingCall, deployment: Deployment) -> Outbound:
        """See the protocol."""
        body = write_embedding_request(
            call,
            deployment.model,
            drop_params=deployment.drop_params,
            additional=deployment.additional_drop_params,
        )
        return Outbound(b"/v2/embed", body)

    def reading(self, call: EmbeddingCall, deployment: Deployment) -> EmbeddingReading:
        """See the protocol."""
        return EmbeddingReading(
            lambda body: read_embeddings(body, deployment.model, len(call.inputs)),
            lambda status, body: read_error(status, body, deployment.model),
        )


def _thinks(deployment: Deployment) -> bool:
    return "reasoning" in deployment.capabilities or "reasoning" in deployment.model
