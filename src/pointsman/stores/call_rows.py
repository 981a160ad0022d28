"""How a call record lies in tables, whatever they are made of: what it shares with others, its own part, its id.

A call costs as little to keep as it does because most of what it says was said before: its *context* (key, route,
deployment, ...) has a row of its own, and so has the first part of its id, its *origin*.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final, TypeAlias

import msgspec

from pointsman.core.outcome import CallRecord
from pointsman.core.trace import RouteTrace
from pointsman.core.usage import Units, Usage
from pointsman.stores.records import saturated

__all__ = [
    "CONTEXTS_MADE_MAX",
    "NAMES",
    "NO_NAMES",
    "REMEMBERED_MAX",
    "SELDOM_COUNTS",
    "SELDOM_TEXTS",
    "Context",
    "content_text",
    "context_of",
    "digest_of",
    "record_of",
    "seldom_of",
    "split_call_id",
    "usual_of",
    "within_range",
]

REMEMBERED_MAX: Final = 4_096
"""Contexts, and origins, that a process remembers."""
CONTEXTS_MADE_MAX: Final = 10_000
"""Contexts that one process makes with names of models. Where a client may choose them, there is no end of them."""

Context: TypeAlias = tuple[Any, ...]
"""What :data:`context_of` gives."""

NAMES: Final = ("model_requested", "model_group", "deployment_id", "model")
"""The names that end a context, and that are left to the call itself where a client made them up."""
NO_NAMES: Final = ("",) * len(NAMES)

context_of: Final = attrgetter(
    "usage.source", "key_token", "user_id", "key_alias", "team_id", "organization_id", "operation", "route", "status",
    "http_status", "attempts", "stream", "provider", "api_base", "tags", "charges", *NAMES
)  # fmt: skip
"""What many calls have in common."""

usual_of: Final = attrgetter(
    "started_at", "ended_at", "first_token_at", "overhead_ms", "cost", "peer", "usage.prompt", "usage.completion",
    "answer_id"
)  # fmt: skip
"""What every call has for itself."""

SELDOM_TEXTS: Final = ("end_user", "error_code", "error_message")
SELDOM_COUNTS: Final = (
    "cached_tokens", "cache_write_tokens", "reasoning_tokens", "audio_input_tokens", "audio_output_tokens",
    "energy_mwh", "energy_cost"
)  # fmt: skip
seldom_of: Final = attrgetter(
    "end_user", "error_code", "error_message", "usage.cached", "usage.cache_write", "usage.reasoning",
    "usage.audio_input", "usage.audio_output", "energy_mwh", "energy_cost", "usage.units", "trace",
    "usage.service", "prompt", "reply"
)  # fmt: skip
"""What most calls lack: three texts (:data:`SELDOM_TEXTS`), seven counts, units, trace, service tier, prompt, reply."""

_DIGITS: Final = re.compile(r"[0-9a-f]+")
_USAGE_COLUMNS: Final = (
    ("prompt", "prompt_tokens"),
    ("completion", "completion_tokens"),
    ("cached", "cached_tokens"),
    ("cache_write", "cache_write_tokens"),
    ("reasoning", "reasoning_tokens"),
    ("audio_input", "audio_input_tokens"),
    ("audio_output", "audio_output_tokens"),
    ("source", "usage_source"),
)


def split_call_id(call_id: str) -> tuple[str, int, bool]:
    """The prefix and the number of an id, and True; of one that is not numbered, the whole, 0 and False."""
    digits = call_id[-8:]
    if len(digits) == 8 and _DIGITS.fullmatch(digits):
        return call_id[:-8], int(digits, 16), True
    return call_id, 0, False


def digest_of(context: Context) -> bytes:
    """By what a context is found."""
    return blake2b(msgspec.json.encode(context), digest_size=16).digest()


def content_text(content: msgspec.Raw | None) -> str | None:
    """A prompt or a reply as text."""
    return None if content is None else bytes(content).decode("utf-8", "replace")


def within_range(record: CallRecord) -> CallRecord:
    """The record with whole numbers of 63 bits, whatever an upstream claimed to have used."""
    names = [name for name, _ in _USAGE_COLUMNS[:-1]]
    usage = msgspec.structs.replace(record.usage, **{name: saturated(getattr(record.usage, name)) for name in names})
    units = usage.units
    if units is not None:
        whole = {name: saturated(getattr(units, name)) for name in Units.__struct_fields__}
        usage = msgspec.structs.replace(usage, units=Units(**whole))
    return msgspec.structs.replace(
        record,
        usage=usage,
        cost=saturated(record.cost),
        energy_mwh=saturated(record.energy_mwh),
        energy_cost=saturated(record.energy_cost),
    )


def record_of(row: dict[str, Any]) -> CallRecord:
    """The call of a row of ``call_records``, which is used up."""
    del row["id"]
    units = row.pop("units")
    counts = {field: row.pop(column) for field, column in _USAGE_COLUMNS}
    units = None if units is None else msgspec.json.decode(units, type=Units)
    row["usage"] = Usage(**counts, units=units, service=row.pop("service_tier") or "")
    row["tags"], row["charges"] = msgspec.json.decode(row["tags"]), msgspec.json.decode(row["charges"])
    row["stream"] = bool(row["stream"])
    prompt, reply, trace = row.pop("prompt"), row.pop("reply"), row.pop("trace")
    record = msgspec.convert(row, CallRecord)
    record.trace = None if trace is None else msgspec.json.decode(trace, type=RouteTrace)
    # Set afterwards, since msgspec does not convert to a union with Raw.
    record.prompt = None if prompt is None else msgspec.Raw(prompt.encode())
    record.reply = None if reply is None else msgspec.Raw(reply.encode())
    return record
