"""An answer around another one: what a wrapper does not do otherwise, the answer inside does."""

from __future__ import annotations

import msgspec

from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Answer, Continuable
from pointsman.core.usage import Usage

__all__ = ["AnswerAround", "SourceAround"]


class AnswerAround:
    """See :class:`pointsman.core.upstream.Answer`; the answer inside is ``inner``."""

    __slots__ = ("inner",)

    def __init__(self, inner: Answer) -> None:
        self.inner = inner

    @property
    def content_type(self) -> bytes:
        """See the protocol."""
        return self.inner.content_type

    @content_type.setter
    def content_type(self, content_type: bytes) -> None:
        self.inner.content_type = content_type

    @property
    def usage(self) -> Usage:
        """See the protocol."""
        return self.inner.usage

    @usage.setter
    def usage(self, usage: Usage) -> None:
        self.inner.usage = usage

    @property
    def error(self) -> GatewayError | None:
        """See the protocol."""
        return self.inner.error

    @error.setter
    def error(self, error: GatewayError | None) -> None:
        self.inner.error = error

    @property
    def answer_id(self) -> str | None:
        """See the protocol."""
        return self.inner.answer_id

    @answer_id.setter
    def answer_id(self, answer_id: str | None) -> None:
        self.inner.answer_id = answer_id

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """See the protocol."""
        return self.inner.rejected(status, body, retry_after)

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        return self.inner.whole(body)

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        return self.inner.feed(data)

    def end(self) -> bytes:
        """See the protocol."""
        return self.inner.end()

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        return self.inner.failed(error)

    def is_preface(self, block: bytes) -> bool:
        """See the protocol."""
        return self.inner.is_preface(block)

    def cut(self) -> None:
        """See the protocol."""
        self.inner.cut()


class SourceAround:
    """Beside :class:`AnswerAround` where the answer inside, ``source``, may be continued elsewhere.

    See :class:`pointsman.core.upstream.Continuable`.
    """

    __slots__ = ()

    source: Continuable

    @property
    def unsent(self) -> bytes:
        """See the protocol."""
        return self.source.unsent

    @unsent.setter
    def unsent(self, unsent: bytes) -> None:
        self.source.unsent = unsent

    def cut_off(self) -> msgspec.Struct | None:
        """See the protocol."""
        return self.source.cut_off()
