"""How Google's models are asked for the tokens of a conversation.

Sources: https://ai.google.dev/api/tokens (Gemini's own API takes contents, or a whole request in a field of its own),
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints/countTokens (Vertex AI takes the
parts of a request side by side) and
https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/count-tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from pointsman.core.access import GoogleAccess
from pointsman.core.errors import GatewayError, Unsupported
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.dialects.gemini.errors import read_error
from pointsman.dialects.gemini.replies import read_count
from pointsman.providers.google.access import google_credential
from pointsman.providers.google.far_sides import VERTEX_VERSION
from pointsman.providers.google.lanes import READ_BY_GEMINI, READ_BY_VERTEX, GoogleServices, gemini_path
from pointsman.providers.google.places import VertexPlace, family_of
from pointsman.providers.native import AnthropicCount, CountWay, call_to_count
from pointsman.providers.tokens import Credential
from pointsman.providers.translated import GeminiFar
from pointsman.providers.translated.gemini import PathOf
from pointsman.providers.translated.remote_media import ToFetch, has_remote_media

__all__ = ["GeminiCount", "gemini_count", "vertex_count"]

_MODELS: Final = "models/"
_COUNTED_BY_VERTEX: Final = ("contents", "generationConfig", "systemInstruction", "tools")
_COUNT_TOKENS: Final = "count-tokens"
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def gemini_count(deployment: Deployment) -> CountWay:
    """The way to ask a model under Gemini's own API."""
    return GeminiCount(deployment, gemini_path, left=READ_BY_GEMINI)


def vertex_count(deployment: Deployment, services: GoogleServices) -> CountWay | None:
    """The way to ask a model on Vertex AI; those that are neither Google's nor Anthropic's have none."""
    access = deployment.access if isinstance(deployment.access, GoogleAccess) else GoogleAccess()
    credential = google_credential(access, services.book)
    place = VertexPlace(deployment, access, credential)
    family = family_of(deployment)
    if family == "gemini":
        return GeminiCount(deployment, place.model_path, credential, left=READ_BY_VERTEX, is_vertex=True)
    if family != "anthropic":
        return None
    path = partial(place.publisher_path, "anthropic", _COUNT_TOKENS, "rawPredict")
    return AnthropicCount(deployment, path, credential, fields={"anthropic_version": VERTEX_VERSION})


class GeminiCount:
    """See :class:`pointsman.providers.native.CountWay`.

    Args:
        deployment: Whom to ask.
        path_of: Where.
        credential: What lets requests in, beyond a key.
        left: Beginnings of the addresses that the model reads itself.
        is_vertex: Whether it is in Vertex AI's form.
    """

    relays = frozenset({Operation.GEMINI_CHAT})

    def __init__(
        self,
        deployment: Deployment,
        path_of: PathOf,
        credential: Credential | None = None,
        *,
        left: tuple[str, ...] = (),
        is_vertex: bool = False,
    ) -> None:
        self._deployment = deployment
        self._path_of = path_of
        self._credential = credential
        self._left = left
        self._is_vertex = is_vertex

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        if self._credential is not None:
            await self._credential.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        fields = ask.fields if ask.operation in self.relays else self._translated(ask)
        body = self._for_vertex(fields) if self._is_vertex else self._for_gemini(fields)
        headers = () if self._credential is None else self._credential.headers()
        return Outbound(self._path_of(self._deployment, "countTokens"), body, headers=headers)

    def read(self, body: bytes) -> int:
        """See the protocol."""
        return read_count(body)

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """See the protocol."""
        if self._credential is not None:
            self._credential.answered(status)
        return read_error(status, body, self._deployment.model)

    def _translated(self, ask: Ask) -> Mapping[str, msgspec.Raw]:
        call = call_to_count(ask)
        if has_remote_media(call, ToFetch(left=self._left)):
            raise Unsupported("Remote images and documents are not fetched to count them.")
        far = GeminiFar(self._path_of, call_ids=not self._is_vertex)
        return _decode_fields(far.write(call, self._deployment).body)

    def _for_gemini(self, fields: Mapping[str, msgspec.Raw]) -> bytes:
        if set(fields) <= {"contents", "model"}:
            return _encode({"contents": fields["contents"]} if "contents" in fields else {})
        model = _MODELS + self._deployment.model.removeprefix(_MODELS)
        return _encode({"generateContentRequest": {**fields, "model": model}})

    def _for_vertex(self, fields: Mapping[str, msgspec.Raw]) -> bytes:
        return _encode({name: fields[name] for name in _COUNTED_BY_VERTEX if name in fields})
