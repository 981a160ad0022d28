"""The request bodies, of exact size, written to files for the load generator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Bodies", "write_bodies"]

_SENTENCE = "The quick brown fox jumps over the lazy dog while a gateway counts tokens. "


@dataclass(frozen=True, slots=True)
class Bodies:
    """Paths: a chat of 290 bytes, one of 8 KiB, and the small one streamed with usage asked for."""

    small: Path
    large: Path
    stream: Path


def write_bodies(directory: Path) -> Bodies:
    """Writes the three bodies into the directory."""
    stream = {"stream": True, "stream_options": {"include_usage": True}}
    return Bodies(
        small=_write(directory / "small.json", _chat(290, {})),
        large=_write(directory / "large.json", _chat(8192, {})),
        stream=_write(directory / "stream.json", _chat(350, stream)),
    )


def _chat(size: int, extra: dict[str, object]) -> bytes:
    """A chat completion request whose last message is padded until the whole body has the size."""

    def render(text: str) -> bytes:
        messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": text}]
        request = {"model": "gpt-fast", "messages": messages, "temperature": 0.7, "max_tokens": 256, **extra}
        return json.dumps(request, separators=(",", ":")).encode()

    missing = size - len(render(""))
    return render((_SENTENCE * (missing // len(_SENTENCE) + 1))[:missing])


def _write(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    return path
