from __future__ import annotations

import json

import pytest
from msgspec import Raw

from pointsman.dialects.anthropic_messages.sources import RemoteSource, remote_sources, with_sources
from pointsman.dialects.anthropic_messages.types import Base64Source

PDF = '{"type":"document","source":{"type":"url","url":"https://h/a.pdf"},"title":"A"}'
CAT = '{"type": "image", "source": {"url": "https://h/cat.png", "type": "url"}}'
KEPT = '{"type":"tool_use","id":"t","name":"f","input":{"n":12345678901234567890123,"source":{"type":"url","url":"x"}}}'
MESSAGES = Raw(
    f"""[{{"role":"user","content":[{PDF},{{"type":"text","text":"url"}}]}},
    {{"role":"assistant","content":[{KEPT}]}},
    {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":[{CAT}]}},
    {{"type":"tool_result","tool_use_id":"u","content":"\\"url\\""}}]}}]""".encode()
)


def test_they_are_found_wherever_they_stand() -> None:
    assert remote_sources(MESSAGES) == [
        RemoteSource("document", "https://h/a.pdf", "messages[0].content[0].source.url"),
        RemoteSource("image", "https://h/cat.png", "messages[2].content[0].content[0].source.url"),
    ]


def test_all_else_stays_as_it_was() -> None:
    def find(source: RemoteSource) -> Base64Source | None:
        return Base64Source("image/png", "aGk=") if source.kind == "image" else None

    after = with_sources(MESSAGES, find)
    expected = json.loads(bytes(MESSAGES))
    expected[2]["content"][0]["content"][0]["source"] = {"type": "base64", "media_type": "image/png", "data": "aGk="}
    assert json.loads(bytes(after)) == expected
    assert KEPT.encode() in bytes(after) and PDF.encode() in bytes(after)


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "7",
        '"url"',
        '{"url":1}',
        '["url"]',
        '[{"content":"\\"url\\""}]',
        '[{"role":"user","content":[{"type":"url"}]}]',
        '[{"content":[{"type":"image","source":"url"}],"x":"url"}]',
        '[{"content":[{"type":7,"x":"url"}]}]',
    ],
)
def test_what_cannot_be_read_is_left_to_the_upstream(text: str) -> None:
    messages = Raw(text.encode())
    assert remote_sources(messages) == []
    assert json.loads(bytes(with_sources(messages, lambda _: Base64Source("image/png", "")))) == json.loads(text)
