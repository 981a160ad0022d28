"""Requests without content, by which clients of Ollama have a model loaded or unloaded.

Source: Ollama's ``docs/api.md``, "Load a model" and "Unload a model": no messages, or no prompt; with ``keep_alive`` of
zero the model is unloaded. The embedding routes answer an empty input with no vectors.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import Malformed
from pointsman.core.upstream import Ask
from pointsman.dialects.ollama.client_time import rfc3339
from pointsman.wire.json_fields import decode_field

__all__ = ["LoadRequest", "OllamaRoute", "read_load", "write_load"]

_decode_keep_alive: Final = msgspec.json.Decoder(int | float | str | None).decode
_encode: Final = msgspec.json.Encoder().encode

_EMPTY: Final = frozenset({b"null", b'""'})
_EMPTY_BYTES_MAX: Final = 64
_CONTENTS: Final = ("messages", "prompt", "input", "images")
_NO_TIME: Final = re.compile(r"[-+]?(0+(\.0*)?([a-zµμ]+|$))+", re.IGNORECASE)
"""Zero as a duration of Go: ``0``, ``0s``, ``0h0m0.0s``."""

OllamaRoute = Literal["chat", "generate", "embed", "embeddings"]


class LoadRequest(msgspec.Struct, frozen=True):
    """``keep_alive`` is raw JSON, seconds or a duration, where the client said how long the model shall stay."""

    model: str
    route: OllamaRoute
    unload: bool = False
    keep_alive: msgspec.Raw | None = None


def read_load(ask: Ask, route: OllamaRoute) -> LoadRequest | None:
    """What is to be done with the model, or None for a request to ``route`` that has content.

    Raises:
        Malformed: ``keep_alive`` is of a wrong type.
    """
    fields = ask.fields
    if not all(_is_empty(fields[name]) for name in _CONTENTS if name in fields):
        return None
    keep_alive = fields.get("keep_alive")
    if keep_alive is None:
        return LoadRequest(ask.model, route)
    said = decode_field("keep_alive", keep_alive, _decode_keep_alive)
    if isinstance(said, str) and not said.strip():
        raise Malformed("keep_alive must be a number of seconds or a duration such as 5m.", param="keep_alive")
    unload = said is not None and (_NO_TIME.fullmatch(said) is not None if isinstance(said, str) else said == 0)
    return LoadRequest(ask.model, route, unload, None if said is None else keep_alive)


def write_load(load: LoadRequest, clock: Clock = SYSTEM_CLOCK) -> bytes:
    """The answer, once it is done: one object, streamed or not."""
    if load.route == "embeddings":
        return _encode({"embedding": []})
    if load.route == "embed":
        return _encode({"model": load.model, "embeddings": []})
    content: dict[str, object] = (
        {"message": {"role": "assistant", "content": ""}} if load.route == "chat" else {"response": ""}
    )
    reason = "unload" if load.unload else "load"
    head = {"model": load.model, "created_at": rfc3339(clock.wall())}
    return _encode(head | content | {"done": True, "done_reason": reason}) + b"\n"


def _is_empty(raw: msgspec.Raw) -> bool:
    """Whether JSON is null, an empty text or an empty array; a long one is not looked at."""
    if len(raw) > _EMPTY_BYTES_MAX:
        return False
    text = bytes(raw)
    return text in _EMPTY or (text.startswith(b"[") and not text.strip(b"[] \t\r\n"))
