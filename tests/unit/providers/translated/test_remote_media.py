"""Images named by their URLs are put in by value, each fetched once, within bounds, and nothing else changes."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from pointsman.core.call import Call
from pointsman.core.content import File, Image, Message, Part, Text, ToolResult
from pointsman.core.eager import Story
from pointsman.core.errors import Malformed
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Operation
from pointsman.dialects.openai_fields import read_ask
from pointsman.providers.media import FetchedMedia, MediaFetcher, MediaKind
from pointsman.providers.translated.openai import OpenAIChatClient
from pointsman.providers.translated.remote_media import (
    DOCUMENTS_BY_VALUE,
    ToFetch,
    has_remote_media,
    inline_remote_media,
    media_preparation,
)


class Album(MediaFetcher):
    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.size = size
        self.document = FetchedMedia("application/pdf", "JVBERi0=")
        self.asked: list[tuple[str, str]] = []

    async def fetch(self, url: str, param: str, kind: MediaKind = "image") -> FetchedMedia:
        self.asked.append((url, param))
        if kind == "document":
            return self.document
        return FetchedMedia("image/png", "A" * self.size)


def call(*turns: tuple[Part, ...]) -> Call:
    return Call("m", tuple(Message("user", parts) for parts in turns))


FETCHED = Image(data="AAAA", media_type="image/png")
OWN = Image(data="QQ==", media_type="image/png")


async def test_remote_images_are_put_in_by_value_and_all_else_stays() -> None:
    before = call(
        (Text("see http://h.example/x"), Image(url="http://h.example/x", detail="low")),
        (Image(url="HTTPS://h.example/y"), Image(url="http://h.example/x")),
        (OWN, ToolResult("c1", (Text("shot"), Image(url="http://h.example/y2")))),
    )
    album = Album()
    after = await inline_remote_media(before, album)
    assert album.asked == [
        ("http://h.example/x", "messages[0].content[1].image_url"),
        ("HTTPS://h.example/y", "messages[1].content[0].image_url"),
        ("http://h.example/y2", "messages[2].content[1].image_url"),
    ]
    assert [message.parts for message in after.messages] == [
        (Text("see http://h.example/x"), FETCHED),
        (FETCHED, FETCHED),
        (OWN, ToolResult("c1", (Text("shot"), FETCHED))),
    ]


async def test_remote_documents_are_put_in_by_value() -> None:
    mark = msgspec.Raw(b'{"type":"ephemeral"}')
    before = call(
        (
            File(url="https://h.example/a%20b.pdf?x", cache_control=mark),
            ToolResult("c", (File(url="https://h.example/"),)),
        ),
    )
    album = Album()
    after = await inline_remote_media(before, album)
    assert album.asked == [
        ("https://h.example/a%20b.pdf?x", "messages[0].content[0].file_url"),
        ("https://h.example/", "messages[0].content[1].file_url"),
    ]
    pdf = File(data="JVBERi0=", media_type="application/pdf")
    assert after.messages[0].parts == (
        msgspec.structs.replace(pdf, filename="a b.pdf", cache_control=mark),
        ToolResult("c", (pdf,)),
    )


@pytest.mark.parametrize(
    ("fetched", "expected"),
    [
        (FetchedMedia("text/csv", "YSxi"), File(text="a,b", media_type="text/csv", filename="Mine")),
        (FetchedMedia("text/plain", "/w=="), File(data="/w==", media_type="text/plain", filename="Mine")),
    ],
)
async def test_a_text_becomes_one_if_it_is_one(fetched: FetchedMedia, expected: File) -> None:
    album = Album()
    album.document = fetched
    after = await inline_remote_media(call((File(url="http://h/x", filename="Mine"),)), album)
    assert after.messages[0].parts == (expected,)


async def test_an_address_can_be_an_image_here_and_a_document_there() -> None:
    before = call((Image(url="http://h/x"), File(url="http://h/x")))
    after = await inline_remote_media(before, Album(), DOCUMENTS_BY_VALUE)
    assert after.messages[0].parts == (
        Image(url="http://h/x"), File(data="JVBERi0=", media_type="application/pdf", filename="x"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("part", "remote"),
    [
        (File(url="http://h/x"), True),
        (File(url="gs://bucket/x"), False),
        (File(file_id="http"), False),
        (Image(url="http://h/x"), True),
        (ToolResult("c", (Image(url="https://h/x"),)), True),
        (OWN, False),
        (Image(url="data:image/png;base64,QQ=="), False),
        (Text("http://h/x"), False),
        (ToolResult("c", (Text("http://h/x"),)), False),
    ],
)
def test_only_a_remote_image_counts_as_one(part: Part, remote: bool) -> None:
    assert has_remote_media(call((part,))) is remote


async def test_their_number_and_size_are_bounded() -> None:
    many = call(tuple(Image(url=f"http://h/{number}") for number in range(17)))
    with pytest.raises(Malformed, match="16"):
        await inline_remote_media(many, Album())
    huge = call((Image(url="http://h/1"), Image(url="http://h/2")))
    with pytest.raises(Malformed, match="too large"):
        await inline_remote_media(huge, Album(40 * 1024 * 1024))


async def test_a_mark_for_the_cache_stays_with_its_image() -> None:
    mark = msgspec.Raw(b'{"type":"ephemeral"}')
    after = await inline_remote_media(call((Image(url="http://h/1", cache_control=mark),)), Album())
    assert after.messages[0].parts == (Image(data="AAAA", media_type="image/png", cache_control=mark),)


async def test_a_preparation_leaves_what_the_upstream_reads_itself() -> None:
    client, album = OpenAIChatClient(), Album()
    prepare = media_preparation(client, album, ToFetch(left=("https://video.example/",)))
    parts = [{"type": "image_url", "image_url": {"url": f"https://{host}.example/x"}} for host in ("video", "image")]
    body = {"model": "m", "messages": [{"role": "user", "content": parts}]}
    ask = read_ask(json.dumps(body).encode(), Operation.CHAT, None)

    async def story() -> None:
        await prepare(ask)

    # Whoever is about to fetch first becomes a task, as a story can.
    nursery = Nursery(lambda _name, _error: None)
    Story(story(), nursery, lambda _error: None).step()
    while len(nursery):
        await asyncio.sleep(0)
    assert [url for url, _ in album.asked] == ["https://image.example/x"]
    assert ask.call is not None
    assert ask.call.messages[0].parts == (Image(url="https://video.example/x"), FETCHED)
