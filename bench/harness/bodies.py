"""The request bodies, of exact size, written to files for the load generator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CHAT", "EVERYBODYS", "KINDS", "MESSAGES", "Bodies", "Kind", "write_bodies"]

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
_WORDS = "How can I assist you today?"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request.

    Attributes:
        path: where a client sends it.
        marker: what every right reply holds.
        reference: the kind whose body, sent to the upstream at ``reference_path``, is answered with the same meaning.
    """

    path: str
    marker: str
    reference: str
    reference_path: str


KINDS = {
    "small": Kind(CHAT, _WORDS, "small", CHAT),
    "large": Kind(CHAT, _WORDS, "large", CHAT),
    "stream": Kind(CHAT, "[DONE]", "stream", CHAT),
    # An Anthropic client before the upstream's OpenAI side, and an OpenAI client before its Anthropic side.
    "messages": Kind(MESSAGES, _WORDS, "small", CHAT),
    "messages-stream": Kind(MESSAGES, "message_stop", "stream", CHAT),
    "claude": Kind(CHAT, _WORDS, "messages", MESSAGES),
    "claude-stream": Kind(CHAT, "[DONE]", "messages-stream", MESSAGES),
}
EVERYBODYS = ("small", "large", "stream")
"""The kinds that ask for no translation."""

_SENTENCE = "The quick brown fox jumps over the lazy dog while a gateway counts tokens. "


@dataclass(frozen=True, slots=True)
class Bodies:
    """Paths: a chat of 290 bytes, one of 8 KiB, and the small one streamed with usage asked for.

    ``translated`` are those of the other :data:`KINDS`, of the size of the small ones.
    """

    small: Path
    large: Path
    stream: Path
    translated: dict[str, Path]


def write_bodies(directory: Path) -> Bodies:
    """Writes the bodies into the directory."""
    stream = {"stream": True, "stream_options": {"include_usage": True}}
    return Bodies(
        small=_write(directory / "small.json", _chat(290, {})),
        large=_write(directory / "large.json", _chat(8192, {})),
        stream=_write(directory / "stream.json", _chat(350, stream)),
        translated={
            "messages": _write(directory / "messages.json", _messages(290, {})),
            "messages-stream": _write(directory / "messages-stream.json", _messages(350, {"stream": True})),
            "claude": _write(directory / "claude.json", _chat(290, {"model": "claude-fast"})),
            "claude-stream": _write(directory / "claude-stream.json", _chat(350, {"model": "claude-fast", **stream})),
        },
    )


def _chat(size: int, extra: dict[str, object]) -> bytes:
    """A chat completion request whose last message is padded until the whole body has the size."""

    def render(text: str) -> bytes:
        messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": text}]
        request = {"model": "gpt-fast", "messages": messages, "temperature": 0.7, "max_tokens": 256, **extra}
        return json.dumps(request, separators=(",", ":")).encode()

    return _padded(render, size)


def _messages(size: int, extra: dict[str, object]) -> bytes:
    """The same request in Anthropic's dialect."""

    def render(text: str) -> bytes:
        asked = {"system": "You are a helpful assistant.", "messages": [{"role": "user", "content": text}]}
        request = {"model": "gpt-fast", **asked, "temperature": 0.7, "max_tokens": 256, **extra}
        return json.dumps(request, separators=(",", ":")).encode()

    return _padded(render, size)


def _padded(render: Callable[[str], bytes], size: int) -> bytes:
    missing = size - len(render(""))
    return render((_SENTENCE * (missing // len(_SENTENCE) + 1))[:missing])


def _write(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    return path
