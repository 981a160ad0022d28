"""Header fields of an HTTP/1.1 response head, for the few who ask for them (RFC 9112, section 5)."""

from __future__ import annotations

import contextlib
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

__all__ = ["response_fields"]

_FIRST_FINAL_STATUS: Final = 200


def response_fields(raw: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Names (lower case) and values of the final response whose head ``raw`` holds, whatever follows it."""
    collector = _Collector()
    parser = collector.parser = HttpResponseParser(collector)
    # What came before a flaw has been collected, and behind the head nobody looks.
    with contextlib.suppress(HttpParserError, HttpParserUpgrade):
        parser.feed_data(raw)
    del collector.parser  # each holds the other
    return tuple(collector.fields)


class _Collector:
    """Hears the parser."""

    parser: HttpResponseParser

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self._final = False

    def on_message_begin(self) -> None:
        if not self._final:
            self.fields.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._final:
            self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._final = self._final or self.parser.get_status_code() >= _FIRST_FINAL_STATUS
