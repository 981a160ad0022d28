"""Structured logs: one line per event, as JSON or for people, without secrets.

A failed call is told at WARNING, a good one at DEBUG, since each is in the ledger anyway.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Final

import msgspec

from pointsman.core.outcome import CallRecord

__all__ = ["CallLog", "redact", "set_up_logs"]

_SECRETS: Final = re.compile(
    r"(?i)\b(sk-[A-Za-z0-9_\-]{6})[A-Za-z0-9_\-]+|(bearer\s+)[^\s\"']+|([?&](?:api_)?key=)[^&\s\"']+"
)
_CONTROLS: Final = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
}
"""What would end a line, or speak to the terminal: nobody who has a say in a message can make up lines of their own."""
_call_log: Final = logging.getLogger("pointsman.calls")


def redact(text: str) -> str:
    """``text`` with everything that looks like a credential taken out."""
    return _SECRETS.sub(lambda found: f"{found.group(1) or found.group(2) or found.group(3)}…", text)


class _Plain(logging.Formatter):
    """For people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = record.message.translate(_CONTROLS)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _Json(logging.Formatter):
    """For machines: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        call = getattr(record, "call_id", None)
        if call is not None:
            line["call_id"] = call
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()


def set_up_logs(level: str, *, json: bool) -> None:
    """Send the logs to standard error. An unknown level means INFO."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if json else _Plain())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    number = logging.getLevelName(level.upper())
    root.setLevel(number if isinstance(number, int) else logging.INFO)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


class CallLog:
    """Tells of calls; see :class:`pointsman.lifecycle.announce.Listener`."""

    @staticmethod
    def tells_all() -> bool:
        """Whether it has something to tell of calls that succeed, too."""
        return _call_log.isEnabledFor(logging.DEBUG)

    def call_ended(self, record: CallRecord) -> None:
        """Tell of a call: of one that failed as a warning, of any other for debugging."""
        level = logging.WARNING if record.status == "failure" else logging.DEBUG
        _call_log.log(
            level,
            "%s %s %d model=%s deployment=%s key=%s %.0f ms %s",
            record.call_id,
            record.route,
            record.http_status,
            record.model_requested,
            record.deployment_id,
            record.key_alias or record.key_token[:8],
            (record.ended_at - record.started_at) * 1000.0,
            record.error_message or "",
            extra={"call_id": record.call_id},
        )
