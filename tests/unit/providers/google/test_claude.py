"""What is relayed to Claude on Vertex AI holds by value what its client named by address."""

from __future__ import annotations

import asyncio
import json

import msgspec

from pointsman.core.access import GoogleAccess
from pointsman.core.eager import Story
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.providers.google.claude import VertexClaudeLane
from pointsman.providers.google.places import VertexPlace
from pointsman.providers.media import FetchedMedia, MediaFetcher, MediaKind
from pointsman.providers.tokens import FixedCredential

CLAUDE = Deployment("d", "g", "vertex_ai", "claude-x@1", "vertex_ai/claude-x@1", "http://vertex.invalid", None)


class Library(MediaFetcher):
    """Has everything: cats, papers, and notes under ``.txt``."""

    async def fetch(self, url: str, param: str, kind: MediaKind = "image") -> FetchedMedia:
        if url.endswith(".txt"):
            return FetchedMedia("text/plain", "aGk=")
        return FetchedMedia("image/png" if kind == "image" else "application/pdf", "QQ==")


async def test_images_papers_and_notes_are_put_in() -> None:
    credential = FixedCredential(Secret("token"))
    place = VertexPlace(CLAUDE, GoogleAccess(project="p", location="eu-1"), credential)
    lane = VertexClaudeLane(CLAUDE, place, credential, Library())
    named = [("image", "https://h/cat"), ("document", "https://h/paper"), ("document", "http://h/a.txt")]
    content: list[object] = [{"type": kind, "source": {"type": "url", "url": url}} for kind, url in named]
    content.append({"type": "document", "source": {"type": "url", "url": "file:///etc/passwd"}})
    body = {"model": "g", "messages": [{"role": "user", "content": content}], "stream": True}
    ask = Ask(Operation.MESSAGES, "g", {name: msgspec.Raw(json.dumps(value).encode()) for name, value in body.items()})
    ask.stream = True

    async def story() -> None:
        await lane.prepare(ask)

    nursery = Nursery(lambda _name, _error: None)
    Story(story(), nursery, lambda _error: None).step()
    while len(nursery):
        await asyncio.sleep(0)
    outbound = lane.write(ask)
    assert outbound.path == b"/v1/projects/p/locations/eu-1/publishers/anthropic/models/claude-x@1:streamRawPredict"
    sent = json.loads(outbound.body)
    assert sent.keys() == {"anthropic_version", "messages", "stream"}
    assert [block["source"] for block in sent["messages"][0]["content"]] == [
        {"type": "base64", "media_type": "image/png", "data": "QQ=="},
        {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
        {"type": "text", "media_type": "text/plain", "data": "hi"},
        {"type": "url", "url": "file:///etc/passwd"},
    ]
