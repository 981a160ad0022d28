"""From a client of Gemini's to a model of Gemini's: the body goes as it is, the answer comes as it is, and is metered.

What no other dialect has a word for (images in an answer, sources, citations, code that ran) gets through in this way
only.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Broken, GatewayError
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.gemini.errors import read_error, write_error
from pointsman.dialects.gemini.knobs import NATIVE
from pointsman.dialects.gemini.names import camel_name
from pointsman.dialects.gemini.types import Chunk
from pointsman.dialects.gemini.usage import read_usage
from pointsman.providers.parameters import Dropped
from pointsman.providers.tokens import Credential
from pointsman.providers.translated.gemini import PathOf
from pointsman.wire.sse import SseParser
from pointsman.wire.sse import encode as encode_event

__all__ = ["GeminiRelayAnswer", "GeminiRelayLane", "can_relay"]

RELAYED: Final = frozenset({Operation.GEMINI_CHAT, Operation.GEMINI_STREAM})
"""A stream as one array is put together anew instead."""

_decode: Final = msgspec.json.Decoder(Chunk).decode
_encode: Final = msgspec.json.Encoder().encode
_NULL: Final = msgspec.Raw(b"null")
_BYTES_PER_TOKEN: Final = 4
_TYPICAL_EVENT_BYTES: Final = 300


def can_relay(operation: Operation, deployment: Deployment) -> bool:
    """Whether nothing has to be changed in a request but fields that Gemini has itself."""
    if operation not in RELAYED or deployment.additional_drop_params:
        return False
    return all(camel_name(name) in NATIVE for name in deployment.pinned)


class GeminiRelayLane:
    """See :class:`pointsman.core.upstream.Lane`."""

    def __init__(self, deployment: Deployment, path_of: PathOf, credential: Credential | None = None) -> None:
        self.prepares = credential is not None
        self._deployment = deployment
        self._path_of = path_of
        self._credential = credential
        self._pinned = {camel_name(name): raw for name, raw in deployment.pinned.items()}

    async def prepare(self, ask: Ask) -> None:
        """See the protocol; only a credential has to be got."""
        if self._credential is not None:
            await self._credential.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        asked = ask.fields if ask.rules is None else Dropped.of(ask.rules.additional_drop_params).left_of(ask.fields)
        fields = {**self._pinned, **asked}
        fields.pop("model", None)
        path = self._path_of(self._deployment, "streamGenerateContent" if ask.stream else "generateContent")
        headers = () if self._credential is None else self._credential.headers()
        return Outbound(path + b"?alt=sse" if ask.stream else path, _encode(fields), headers=headers)

    def answer(self, ask: Ask) -> GeminiRelayAnswer:
        """See the protocol."""
        return GeminiRelayAnswer(ask, self._deployment.model, self._credential)


class GeminiRelayAnswer:
    """See :class:`pointsman.core.upstream.Answer`."""

    __slots__ = (
        "_ask",
        "_begun",
        "_bytes",
        "_credential",
        "_events",
        "_finished",
        "_model",
        "_over",
        "_parser",
        "answer_id",
        "content_type",
        "error",
        "usage",
    )

    def __init__(self, ask: Ask, model: str, credential: Credential | None = None) -> None:
        self.content_type = b""
        self.usage: Usage = NO_USAGE
        self.error: GatewayError | None = None
        self.answer_id: str | None = None
        self._ask = ask
        self._model = model
        self._credential = credential
        self._parser = SseParser()
        self._begun = self._finished = self._over = False
        self._events = self._bytes = 0

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """See the protocol."""
        if self._credential is not None:
            self._credential.answered(status)
        error = read_error(status, body, self._model)
        if retry_after is not None:
            error.retry_after = retry_after
        return error

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        self._read(body)
        self._bytes = len(body)
        self.cut()
        return body

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        return b"".join([self._relay(event.data) for event in self._parser.feed(data)])

    def end(self) -> bytes:
        """See the protocol."""
        last = b"".join([self._relay(event.data) for event in self._parser.end()])
        self.cut()
        if not self._finished and not self._over:
            raise Broken("Gemini ended its stream before the answer was complete.")
        return last

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        if self._over:
            return b""
        self._over = True
        return encode_event(write_error(error))

    def is_preface(self, block: bytes) -> bool:
        """See the protocol."""
        return False

    def cut(self) -> None:
        """See the protocol."""
        if self.usage.source == "none":
            text_bytes = max(self._bytes - self._events * _TYPICAL_EVENT_BYTES, 0)
            completion = max(self._events, text_bytes // _BYTES_PER_TOKEN)
            self.usage = Usage(self._ask.prompt_estimate, completion, source="estimated")

    def _relay(self, data: bytes) -> bytes:
        if self._over or not data.strip():
            return b""
        self._events += 1
        self._bytes += len(data)
        try:
            self._read(data)
        except GatewayError as error:
            if not self._begun:
                raise
            self.error = error
            return self.failed(error)
        self._begun = True
        return encode_event(data)

    def _read(self, data: bytes) -> None:
        """Take the counts, and whether the answer is complete.

        Raises:
            UpstreamFailed: it is an error, or none of Gemini's answers.
        """
        try:
            chunk = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Broken("Gemini sent something that is not one of its answers.") from None
        if isinstance(chunk.error, msgspec.Raw) and chunk.error != _NULL:
            raise read_error(Broken.default_status, data, self._model)
        self.usage = read_usage(chunk.usage_metadata) or self.usage
        self.answer_id = self.answer_id or chunk.response_id
        blocked = chunk.prompt_feedback is not None and bool(chunk.prompt_feedback.block_reason)
        if blocked or any(candidate.finish_reason for candidate in chunk.candidates or ()):
            self._finished = True
