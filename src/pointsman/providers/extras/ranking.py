"""Rankings by providers that have them in words of their own, for clients of Cohere's form.

Sources: https://docs.cohere.com/reference/rerank (the client's form),
https://docs.aws.amazon.com/bedrock/latest/userguide/rerank-use.html (Bedrock's models, by ``InvokeModel``),
https://cloud.google.com/generative-ai-app-builder/docs/ranking (Vertex AI's).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec

from pointsman.core.clock import short_id
from pointsman.core.errors import Broken, GatewayError, Malformed, Unsupported
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.dialects.bedrock_converse.errors import read_error as read_bedrock_error
from pointsman.dialects.droppable import HINTS
from pointsman.dialects.gemini.errors import read_error as read_google_error
from pointsman.providers.extras.pictures import demand_sayable
from pointsman.wire.json_fields import decode_field

__all__ = ["BedrockRanking", "VertexRanking"]

_Maker = Literal["amazon", "cohere"]
_READ: Final = frozenset({"model", "query", "documents", "top_n", "return_documents", "user"})
_OF_COHERE: Final = frozenset({"max_tokens_per_doc"})
_VERSION_OF_COHERE: Final = 2
_TITLE_WORDS: Final = 3
_DOCUMENTS_PER_UNIT: Final = 100
_PAYER: Final = "x-goog-user-project"
_NULL: Final = msgspec.Raw(b"null")


class _Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """A document that is an object; only its text is ranked, and its title where somebody reads one."""

    text: str
    title: str | None = None


class _Ranking(msgspec.Struct, frozen=True):
    """What is to be ranked. ``extra`` is what else was said, raw JSON by name."""

    query: str
    documents: tuple[_Document, ...]
    top: int | None = None
    extra: Mapping[str, msgspec.Raw] = {}


class _Row(msgspec.Struct, omit_defaults=True):
    index: int
    relevance_score: float
    document: _Document | None = None


class _BedrockRow(msgspec.Struct):
    """Models say ``relevance_score``; the other spelling is that of the service before them."""

    index: int
    relevance_score: float | None = None
    camel_score: float | None = msgspec.field(default=None, name="relevanceScore")


class _BedrockReply(msgspec.Struct):
    results: list[_BedrockRow]


class _Record(msgspec.Struct):
    """Google leaves a score of zero out."""

    id: str
    score: float = 0.0


class _VertexReply(msgspec.Struct):
    records: list[_Record] = []


class _Reply(msgspec.Struct):
    id: str
    results: list[_Row]
    meta: dict[str, dict[str, int]]


_decode_bedrock: Final = msgspec.json.Decoder(_BedrockReply).decode
_decode_vertex: Final = msgspec.json.Decoder(_VertexReply).decode
_encode: Final = msgspec.json.Encoder().encode
_texts: Final = msgspec.json.Decoder(tuple[str | _Document, ...]).decode
_text: Final = msgspec.json.Decoder(str).decode
_flag: Final = msgspec.json.Decoder(bool | None).decode
_count: Final = msgspec.json.Decoder(int | None).decode


class BedrockRanking:
    """See :class:`pointsman.providers.extras.lane.ExtrasFar`. ``model`` is what is invoked at ``path``."""

    def __init__(
        self, path: bytes, model: str, error_of: Callable[[int, bytes], GatewayError] = read_bedrock_error
    ) -> None:
        self._path = path
        self._model = model
        self._error_of = error_of

    def write(self, ask: Ask, deployment: Deployment) -> Outbound:
        """See the protocol."""
        maker = _maker_of(self._model)
        ranking = _read(ask, deployment)
        body: dict[str, object] = {"query": ranking.query, "documents": [one.text for one in ranking.documents]}
        if maker == "cohere":
            body["api_version"] = _VERSION_OF_COHERE
        if ranking.top is not None:
            body["top_n"] = ranking.top
        foreign = []
        for name, raw in ranking.extra.items():
            if maker == "cohere" and name in _OF_COHERE:
                body[name] = raw
            else:
                foreign.append(name)
        demand_sayable("This model of Bedrock", foreign, deployment)
        return Outbound(self._path, _encode(body))

    def read(self, body: bytes, ask: Ask) -> bytes:
        """See the protocol."""
        try:
            found = _decode_bedrock(body).results
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Broken("Bedrock's answer is no ranking.") from None
        return _write([(row.index, row.relevance_score or row.camel_score or 0.0) for row in found], ask)

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """See the protocol."""
        return self._error_of(status, body)


class VertexRanking:
    """See :class:`pointsman.providers.extras.lane.ExtrasFar`.

    ``place_of`` tells the path, and the project that pays for the request, once these are known.
    """

    def __init__(self, place_of: Callable[[], tuple[bytes, str]], model: str) -> None:
        self._place_of = place_of
        self._model = model

    def write(self, ask: Ask, deployment: Deployment) -> Outbound:
        """See the protocol."""
        ranking = _read(ask, deployment)
        demand_sayable("Vertex AI's ranking", list(ranking.extra), deployment)
        records = [
            {"id": str(index), "title": one.title or _title_of(one.text), "content": one.text}
            for index, one in enumerate(ranking.documents)
        ]
        body: dict[str, object] = {
            "model": self._model,
            "query": ranking.query,
            "records": records,
            "ignoreRecordDetailsInResponse": True,
        }
        if ranking.top is not None:
            body["topN"] = ranking.top
        path, project = self._place_of()
        return Outbound(path, _encode(body), headers=((_PAYER, Secret(project)),))

    def read(self, body: bytes, ask: Ask) -> bytes:
        """See the protocol."""
        try:
            found = [(int(record.id), record.score) for record in _decode_vertex(body).records]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
            raise Broken("Vertex AI's answer is no ranking.") from None
        return _write(sorted(found, key=lambda row: -row[1]), ask)

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """See the protocol."""
        return read_google_error(status, body, self._model)


def _maker_of(model: str) -> _Maker:
    if "cohere.rerank" in model:
        return "cohere"
    if "amazon.rerank" in model:
        return "amazon"
    raise Unsupported(
        "This model of Bedrock cannot rank here.",
        hint="cohere.rerank-v3-5:0 and amazon.rerank-v1:0 can.",
        param="model",
        code="unsupported_operation",
    )


def _read(ask: Ask, deployment: Deployment) -> _Ranking:
    """The request.

    Raises:
        Malformed: a field is of a wrong type or value.
    """
    fields = {**deployment.pinned, **ask.fields}
    top = decode_field("top_n", fields.get("top_n", _NULL), _count)
    if top is not None and top < 1:
        raise Malformed("top_n must be at least 1.", param="top_n")
    decode_field("return_documents", fields.get("return_documents", _NULL), _flag)
    skipped = _READ | HINTS | deployment.pinned.keys()
    extra = {name: raw for name, raw in ask.fields.items() if name not in skipped and bytes(raw) != b"null"}
    query = decode_field("query", fields["query"], _text)
    return _Ranking(query, _documents(fields["documents"]), top, extra)


def _documents(raw: msgspec.Raw) -> tuple[_Document, ...]:
    listed = decode_field("documents", raw, _texts)
    return tuple(_Document(one) if isinstance(one, str) else one for one in listed)


def _title_of(text: str) -> str:
    """A title for a document that has none, without which no record is taken."""
    return " ".join(text.split(maxsplit=_TITLE_WORDS)[:_TITLE_WORDS])


def _write(found: list[tuple[int, float]], ask: Ask) -> bytes:
    """The client's answer; units are counted as all of these services charge them.

    Raises:
        Broken: a place is named that no document has.
    """
    documents = _documents(ask.fields["documents"])
    if any(not 0 <= index < len(documents) for index, _ in found):
        raise Broken("The upstream ranked a document that it was not sent.")
    shows = decode_field("return_documents", ask.fields.get("return_documents", _NULL), _flag)
    rows = [_Row(index, score, documents[index] if shows else None) for index, score in found]
    units = -(-len(documents) // _DOCUMENTS_PER_UNIT)
    return _encode(_Reply(short_id("rerank-"), rows, {"billed_units": {"search_units": units}}))
