"""What is asked of an upstream where there is no conversation: completions and embeddings, without facts about a model.

Each gives the upstream's request, and what the client would be told of an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pointsman.core.reply import Embeddings
from pointsman.core.upstream import Deployment, Outbound
from pointsman.core.usage import Usage
from pointsman.dialects.folding import fold
from pointsman.dialects.gemini.embeddings import write_embedding_request as write_gemini_embeddings
from pointsman.dialects.gemini.knobs import refuse_or_drop_embedding as fit_embedding_to_gemini
from pointsman.dialects.gemini.requests import path_of
from pointsman.dialects.gemini.types import GeminiTarget
from pointsman.dialects.ollama.knobs import refuse_or_drop_completion, refuse_or_drop_embedding
from pointsman.dialects.ollama.requests import write_completion_request, write_embedding_request
from pointsman.dialects.ollama.types import OllamaTarget
from pointsman.dialects.openai_completions.replies import write_reply as write_completion
from pointsman.dialects.openai_completions.requests import read_request as read_completion
from pointsman.dialects.openai_completions.streams import StreamWriter
from pointsman.dialects.openai_extras.embeddings import read_request as read_embedding
from pointsman.dialects.openai_extras.embeddings import write_reply as write_embeddings
from pointsman.providers.mapping.samples import EVENTS
from pointsman.providers.watsonx import WatsonxEmbeddingFar

__all__ = ["Plain", "gemini_embedding", "ollama_completion", "ollama_embedding", "watsonx_embedding"]

Plain = Callable[[bytes, Deployment], tuple[Outbound, bytes]]
"""From a client's body to the upstream's request, and what the client is told of the answer.

It raises Malformed or Unsupported where the request cannot be expressed.
"""

_EMBEDDINGS: Final = Embeddings("model", ((0.5, 0.25),), Usage(10, 0))
_TEXT: Final = tuple(event for event in EVENTS if type(event).__name__ in {"Started", "TextDelta", "UsageReported"})


def ollama_completion(body: bytes, deployment: Deployment) -> tuple[Outbound, bytes]:
    """See :data:`Plain`."""
    call = refuse_or_drop_completion(
        read_completion(body), drop_params=deployment.drop_params, additional=deployment.additional_drop_params
    )
    outbound = Outbound(b"/api/generate", write_completion_request(call, OllamaTarget(deployment.model)))
    writer = StreamWriter(call)
    told = writer.write(_TEXT) + writer.end() if call.stream else write_completion(fold(_TEXT), call)
    return outbound, told


def ollama_embedding(body: bytes, deployment: Deployment) -> tuple[Outbound, bytes]:
    """See :data:`Plain`."""
    call = refuse_or_drop_embedding(
        read_embedding(body), drop_params=deployment.drop_params, additional=deployment.additional_drop_params
    )
    outbound = Outbound(b"/api/embed", write_embedding_request(call, OllamaTarget(deployment.model)))
    return outbound, write_embeddings(_EMBEDDINGS, call)


def gemini_embedding(body: bytes, deployment: Deployment) -> tuple[Outbound, bytes]:
    """See :data:`Plain`."""
    call = fit_embedding_to_gemini(
        read_embedding(body), drop_params=deployment.drop_params, additional=deployment.additional_drop_params
    )
    target = GeminiTarget(deployment.model)
    outbound = Outbound(path_of(target, "batchEmbedContents"), write_gemini_embeddings(call, target))
    return outbound, write_embeddings(_EMBEDDINGS, call)


def watsonx_embedding(body: bytes, deployment: Deployment) -> tuple[Outbound, bytes]:
    """See :data:`Plain`."""
    call = read_embedding(body)
    return WatsonxEmbeddingFar().write(call, deployment), write_embeddings(_EMBEDDINGS, call)
