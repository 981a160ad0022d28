"""What Vertex AI serves in the dialects of others: Anthropic's, with small changes, and OpenAI's.

Source for Claude: https://docs.claude.com/en/api/claude-on-vertex-ai: the path says the model, and the body which
version of the dialect it is in.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.clock import Clock
from pointsman.core.upstream import Deployment, Outbound
from pointsman.providers.google.places import VertexPlace, model_in_vertex
from pointsman.providers.translated import AnthropicFar, OpenAIChatFar, Reading

__all__ = ["VertexChatFar", "VertexClaudeFar"]

_VERSION: Final = msgspec.Raw(b'"vertex-2023-10-16"')
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


class VertexClaudeFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`."""

    def __init__(self, place: VertexPlace, clock: Clock) -> None:
        self._place = place
        self._far = AnthropicFar(clock)

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        fields = _decode_fields(self._far.write(call, deployment).body)
        del fields["model"]
        body = _encode({"anthropic_version": _VERSION, **fields})
        return Outbound(self._place.model_path(deployment, "streamRawPredict" if call.stream else "rawPredict"), body)

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        return self._far.reading(call, deployment)


class VertexChatFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`."""

    def __init__(self, place: VertexPlace) -> None:
        self._place = place

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        far = OpenAIChatFar(self._place.chat_path(stream=call.stream), model=model_in_vertex(deployment))
        return far.write(call, deployment)

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        return OpenAIChatFar().reading(call, deployment)
