from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.providers.media import FetchedImage, MediaFetcher
from pointsman.providers.ollama.images import has_remote_images, inline_remote_images


class Album(MediaFetcher):
    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.size = size
        self.asked: list[tuple[str, str]] = []

    async def fetch(self, url: str, param: str) -> FetchedImage:
        self.asked.append((url, param))
        return FetchedImage("image/png", "A" * self.size)


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


async def test_remote_images_become_data_urls_and_all_else_stays() -> None:
    messages = [
        {"role": "system", "content": "be brief", "number": 12345678901234567890},
        user({"type": "text", "text": "see http://h.example/x"}, image("http://h.example/x", detail="low")),
        user(image("HTTPS://h.example/y"), {"type": "image_url", "image_url": "http://h.example/x"}),
        user(image("data:image/png;base64,QQ==")),
    ]
    album = Album()
    inlined = json.loads(bytes(await inline_remote_images(raw(messages), album)))
    assert album.asked == [
        ("http://h.example/x", "messages[1].content[1].image_url"),
        ("HTTPS://h.example/y", "messages[2].content[0].image_url"),
    ]
    data = "data:image/png;base64,AAAA"
    messages[1]["content"][1]["image_url"]["url"] = data
    messages[2]["content"] = [image(data), image(data)]
    assert inlined == messages


@pytest.mark.parametrize(
    ("messages", "remote"),
    [
        ([user(image("http://h/x"))], True),
        ([user(image("data:image/png;base64,QQ=="))], False),
        ([{"role": "user", "content": "image_url http://h/x"}], False),
        ([user({"type": "text", "text": "image_url"})], False),
        ([], False),
        ({"image_url": "http://h/x"}, False),
        ([user({"image_url": 7}), user({"image_url": {"url": None}}), user({"image_url": {}})], False),
        (["image_url"], False),
    ],
)
def test_only_a_remote_image_counts_as_one(messages: Any, remote: bool) -> None:
    assert has_remote_images(raw(messages)) is remote


def test_an_escaped_field_name_hides_nothing() -> None:
    messages = msgspec.Raw(
        b'[{"role":"user","content":[{"type":"image_url","image\\u005furl":{"url":"http:\\/\\/h"}}]}]'
    )
    assert has_remote_images(messages)


async def test_too_many_or_too_large_images_are_refused() -> None:
    many = raw([user(*(image(f"http://h/{number}") for number in range(17)))])
    with pytest.raises(Malformed, match="No more than 16"):
        await inline_remote_images(many, Album())
    huge = raw([user(image("http://h/1"), image("http://h/2"))])
    with pytest.raises(Malformed, match="too large together"):
        await inline_remote_images(huge, Album(40 * 1024 * 1024))


FIELDS = st.sampled_from(["content", "image_url", "url", "role"])


@given(
    st.recursive(
        st.none() | st.text(max_size=9) | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=3),
    )
)
def test_no_shape_of_messages_breaks_the_search(value: Any) -> None:
    assert has_remote_images(raw(value)) in (True, False)
