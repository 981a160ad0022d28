"""From any client dialect to a mocked deployment, which takes whatever it is asked."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, EmbeddingCall
from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Deployment, Lane, Operation, Outbound
from pointsman.dialects.openai_chat.errors import read_error
from pointsman.dialects.openai_chat.replies import read_reply
from pointsman.dialects.openai_chat.streams import StreamReader
from pointsman.dialects.openai_extras import embeddings as embedding_words
from pointsman.providers.express import EXTRAS_PATHS, ExtrasLane
from pointsman.providers.translated import translated_lane
from pointsman.providers.translated.embeddings import EmbeddingReading
from pointsman.providers.translated.sides import Reading, SseFrames

__all__ = ["CHAT_PATH", "EMBEDDING_PATH", "Asked", "mocked_lane"]

CHAT_PATH: Final = b"/chat/completions"
EMBEDDING_PATH: Final = b"/embeddings"
_encode: Final = msgspec.json.Encoder().encode


class Asked(msgspec.Struct, frozen=True):
    """All that a made-up answer depends on: how many choices, or how many texts there are to embed."""

    count: int = 1


class _MockFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`; nothing is refused, since nobody has to know it."""

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        return Outbound(CHAT_PATH, _encode(Asked(call.sampling.n or 1)))

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        return Reading(SseFrames(), StreamReader(), read_reply, read_error)


class _MockEmbeddingFar:
    """See :class:`pointsman.providers.translated.embeddings.EmbeddingFar`."""

    def write(self, call: EmbeddingCall, deployment: Deployment) -> Outbound:
        """See the protocol."""
        return Outbound(EMBEDDING_PATH, _encode(Asked(len(call.inputs))))

    def reading(self, call: EmbeddingCall, deployment: Deployment) -> EmbeddingReading:
        """See the protocol."""
        count = len(call.inputs)
        return EmbeddingReading(lambda body: embedding_words.read_reply(body, count), read_error)


def mocked_lane(operation: Operation, deployment: Deployment) -> Lane:
    """The lane from the dialect of ``operation``.

    Raises:
        Unsupported: it is none of chats, completions, embeddings and pictures.
    """
    if operation is Operation.IMAGE:
        return ExtrasLane(deployment, operation)
    if operation in EXTRAS_PATHS:
        raise Unsupported(
            f"A model with mock_response does not serve {EXTRAS_PATHS[operation].decode()}.",
            hint="It answers chats, completions, embeddings and /images/generations.",
            param="model",
            code="unsupported_operation",
        )
    return translated_lane(operation, _MockFar(), deployment, embedding_far=_MockEmbeddingFar())
