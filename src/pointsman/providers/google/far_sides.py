"""What Vertex AI serves in the dialects of others: Anthropic's, with small changes, and OpenAI's.

Source for Claude: https://docs.claude.com/en/api/claude-on-vertex-ai: the path says the model, and the body which
version of the dialect it is in.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, EmbeddingCall
from pointsman.core.clock import Clock
from pointsman.core.upstream import Deployment, Outbound
from pointsman.dialects.gemini.errors import read_error
from pointsman.dialects.gemini.predictions import read_predictions, write_prediction_request
from pointsman.providers.google.places import VertexPlace, model_in_vertex
from pointsman.providers.translated import AnthropicFar, EmbeddingReading, OpenAIChatFar, Reading
from pointsman.providers.translated.gemini import without_foreign_knobs

__all__ = ["VERTEX_VERSION", "VertexChatFar", "VertexClaudeFar", "VertexEmbeddingFar"]

VERTEX_VERSION: Final = msgspec.Raw(b'"vertex-2023-10-16"')
"""The value of ``anthropic_version``."""

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


class VertexClaudeFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`."""

    def __init__(self, place: VertexPlace, clock: Clock) -> None:
        self._place = place
        self._far = AnthropicFar(clock)

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        written = self._far.write(call, deployment)
        fields = _decode_fields(written.body)
        del fields["model"]
        body = _encode({"anthropic_version": VERTEX_VERSION, **fields})
        path = self._place.model_path(deployment, "streamRawPredict" if call.stream else "rawPredict")
        return Outbound(path, body, headers=written.headers)

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        return self._far.reading(call, deployment)


class VertexChatFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`."""

    def __init__(self, place: VertexPlace) -> None:
        self._place = place

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        far = OpenAIChatFar(path=self._place.chat_path(stream=call.stream), model=model_in_vertex(deployment))
        return far.write(call, deployment)

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        return OpenAIChatFar().reading(call, deployment)


class VertexEmbeddingFar:
    """See :class:`pointsman.providers.translated.embeddings.EmbeddingFar`."""

    def __init__(self, place: VertexPlace) -> None:
        self._place = place

    def write(self, call: EmbeddingCall, deployment: Deployment) -> Outbound:
        """See the protocol."""
        body = write_prediction_request(without_foreign_knobs(call, deployment))
        return Outbound(self._place.model_path(deployment, "predict"), body)

    def reading(self, call: EmbeddingCall, deployment: Deployment) -> EmbeddingReading:
        """See the protocol."""
        count = len(call.inputs)
        return EmbeddingReading(
            lambda body: read_predictions(body, call.model, count),
            lambda status, body: read_error(status, body, deployment.model),
        )
