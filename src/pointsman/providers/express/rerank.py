"""Rerank where it is not Cohere's form to the letter.

Cohere (https://docs.cohere.com/reference/rerank), Jina, vLLM and Infinity share one form, which is the client's. Voyage
(https://docs.voyageai.com/reference/reranker-api) names two things otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from pointsman.core.clock import short_id
from pointsman.core.errors import Broken
from pointsman.core.upstream import Deployment
from pointsman.providers.express.extras_answer import ExtrasAnswer

__all__ = ["VoyageAnswer", "rerank_path", "voyage_fields"]


class _Row(msgspec.Struct):
    index: int
    relevance_score: float
    document: str | None = None


class _VoyageReply(msgspec.Struct):
    data: list[_Row]


class _Document(msgspec.Struct):
    text: str


class _Result(msgspec.Struct, omit_defaults=True):
    index: int
    relevance_score: float
    document: _Document | None = None


class _Tokens(msgspec.Struct):
    input_tokens: int


class _Meta(msgspec.Struct):
    tokens: _Tokens


class _Reply(msgspec.Struct):
    id: str
    results: list[_Result]
    meta: _Meta


_decode_voyage: Final = msgspec.json.Decoder(_VoyageReply).decode
_encode: Final = msgspec.json.Encoder().encode


class VoyageAnswer(ExtrasAnswer):
    """Voyage's answer in Cohere's form."""

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        super().whole(body)
        try:
            rows = _decode_voyage(body).data
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise Broken("The upstream's answer is no ranking.") from None
        results = [
            _Result(row.index, row.relevance_score, None if row.document is None else _Document(row.document))
            for row in rows
        ]
        return _encode(_Reply(short_id("rerank-"), results, _Meta(_Tokens(self.usage.prompt))))


def rerank_path(deployment: Deployment) -> bytes:
    """Where a service ranks, below its ``api_base``; Cohere's usual address has no version in it."""
    has_version = urlsplit(deployment.api_base).path.strip("/")
    return b"/v2/rerank" if deployment.provider.startswith("cohere") and not has_version else b"/rerank"


def voyage_fields(fields: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The fields of a request under Voyage's names."""
    return {"top_k" if name == "top_n" else name: value for name, value in fields.items()}
