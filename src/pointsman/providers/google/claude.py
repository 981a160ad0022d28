"""From a client of Anthropic's to Claude on Vertex AI: relayed, under a path and with a version of Vertex AI's.

Source: https://docs.claude.com/en/api/claude-on-vertex-ai. What a request names by address is put in by value, since
Vertex AI fetches nothing for Claude.
"""

from __future__ import annotations

import binascii
from typing import Final

import msgspec

from pointsman.core.eager import become_task
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.dialects.anthropic_messages.sources import RemoteSource, remote_sources, with_sources
from pointsman.dialects.anthropic_messages.types import Base64Source, TextSource
from pointsman.providers.google.far_sides import VERTEX_VERSION
from pointsman.providers.google.places import VertexPlace
from pointsman.providers.media import MediaFetcher
from pointsman.providers.native import ANTHROPIC_MESSAGES, SignedNativeLane
from pointsman.providers.tokens import Credential
from pointsman.providers.translated.remote_media import FetchedOnce, is_web_address

__all__ = ["VertexClaudeLane"]

_NOTHING: Final = msgspec.Raw(b"[]")
_encode: Final = msgspec.json.Encoder().encode


class VertexClaudeLane(SignedNativeLane):
    """See :class:`pointsman.core.upstream.Lane`."""

    def __init__(self, deployment: Deployment, place: VertexPlace, credential: Credential, media: MediaFetcher) -> None:
        super().__init__(deployment, ANTHROPIC_MESSAGES, credential)
        self._deployment = deployment
        self._place = place
        self._media = media

    async def prepare(self, ask: Ask) -> None:
        """See the protocol. ``ask.fields`` change where something was named by address.

        Raises:
            Malformed: it cannot be had; the message names it.
        """
        sources = [source for source in remote_sources(ask.fields.get("messages", _NOTHING)) if _is_to_fetch(source)]
        if sources:
            await become_task()
            fetched = FetchedOnce(self._media)
            for source in sources:
                await fetched.fetch(source.url, source.param, source.kind)
            messages = with_sources(ask.fields["messages"], lambda source: _source(source, fetched))
            ask.fields = {**ask.fields, "messages": messages}
        await super().prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        outbound = super().write(ask)
        verb = "streamRawPredict" if ask.stream else "rawPredict"
        return msgspec.structs.replace(outbound, path=self._place.model_path(self._deployment, verb))

    def fields_of(self, ask: Ask) -> dict[str, msgspec.Raw]:
        """See the superclass."""
        fields = super().fields_of(ask)
        fields.pop("model", None)
        return {"anthropic_version": VERTEX_VERSION, **fields}


def _is_to_fetch(source: RemoteSource) -> bool:
    return is_web_address(source.url)


def _source(source: RemoteSource, fetched: FetchedOnce) -> Base64Source | TextSource | None:
    found = fetched.get(source.url, source.kind)
    if found is None:
        return None
    if found.media_type.startswith("text/"):
        return TextSource("text/plain", binascii.a2b_base64(found.data).decode("utf-8", "replace"))
    return Base64Source(found.media_type, found.data)
