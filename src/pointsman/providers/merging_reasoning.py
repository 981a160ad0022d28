"""Puts the reasoning of a streamed chat into its text, within ``<think>`` tags, for clients that look for it there.

LiteLLM's ``merge_reasoning_content_in_choices``, which is for streams of chats alone (``streaming_handler.py`` of
1.109.1); a whole answer keeps the two apart. Unlike there, each choice has tags of its own.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Answer, Ask, Deployment, Lane, Outbound
from pointsman.providers.around import AnswerAround

__all__ = ["ReasoningMergingLane"]

_OPENING: Final = "<think>"
_CLOSING: Final = "</think>"
_NAMES: Final = ("reasoning_content", "reasoning")
"""What servers call it; a chunk that has both says the same twice."""
_NULL: Final = msgspec.Raw(b"null")


class _Choice(msgspec.Struct):
    index: int = 0
    delta: dict[str, msgspec.Raw] = {}
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw]


_decode_chunk: Final = msgspec.json.Decoder(_Chunk).decode
_decode_choice: Final = msgspec.json.Decoder(_Choice).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str | None).decode
_encode: Final = msgspec.json.Encoder().encode


class ReasoningMergingLane:
    """See :class:`pointsman.core.upstream.Lane`; the lane inside does the work.

    Its streams are not continued by another deployment, nor does it continue theirs: nobody could tell what of the text
    was reasoning.
    """

    def __init__(self, inner: Lane, deployment: Deployment) -> None:
        self.prepares = inner.prepares
        self._inner = inner
        self._provider = deployment.provider

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        await self._inner.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        if ask.continues is not None:
            raise Unsupported(f"{self._provider} cannot go on with another one's answer.", param="model")
        return self._inner.write(ask)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        answer = self._inner.answer(ask)
        return _Merging(answer) if ask.stream else answer


class _Merging(AnswerAround):
    """``_open`` are the choices whose reasoning has begun and not ended."""

    __slots__ = ("_open",)

    def __init__(self, inner: Answer) -> None:
        super().__init__(inner)
        self._open: set[int] = set()

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        return self._merged(self.inner.feed(data))

    def end(self) -> bytes:
        """See the protocol."""
        return self._merged(self.inner.end())

    def _merged(self, block: bytes) -> bytes:
        if not self._open and b'"reasoning' not in block:
            return block
        return b"\n".join([self._line(line) for line in block.split(b"\n")])

    def _line(self, line: bytes) -> bytes:
        if not line.startswith(b"data:") or not (self._open or b'"reasoning' in line):
            return line
        try:
            chunk = _decode_chunk(line[5:])
            choices = [self._choice(choice) for choice in chunk.choices]
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return line  # [DONE], an error, or what no client could read either
        if choices == chunk.choices:
            return line
        fields = _decode_fields(line[5:])
        fields["choices"] = msgspec.Raw(_encode(choices))
        return b"data: " + _encode(fields) + (b"\r" if line.endswith(b"\r") else b"")

    def _choice(self, raw: msgspec.Raw) -> msgspec.Raw:
        """One choice of a chunk with what it says in one place."""
        choice = _decode_choice(raw)
        delta = choice.delta
        said = [_decode_text(delta.pop(name)) for name in _NAMES if name in delta]
        reasoning = next((one for one in said if one), "")
        content = _decode_text(delta.get("content", _NULL)) or ""
        is_open = choice.index in self._open
        opening = _OPENING if reasoning and not is_open else ""
        ends = bool(content or delta.get("tool_calls", _NULL) != _NULL or choice.finish_reason is not None)
        closing = _CLOSING if ends and (reasoning or is_open) else ""
        if not said and not closing:
            return raw
        if closing:
            self._open.discard(choice.index)
        elif reasoning:
            self._open.add(choice.index)
        if reasoning or closing:
            delta["content"] = msgspec.Raw(_encode(opening + reasoning + closing + content))
        fields = _decode_fields(raw)
        fields["delta"] = msgspec.Raw(_encode(delta))
        return msgspec.Raw(_encode(fields))
