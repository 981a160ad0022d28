"""What is known of a request that is relayed, from before it is written until its answer is stored."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.upstream import Ask
from pointsman.dialects.openai_responses.response import ResponseRequest

__all__ = ["RelayNotes", "UpstreamCopy", "read_request"]

_ID_CHARACTERS_MAX: Final = 256


class UpstreamCopy(msgspec.Struct, frozen=True):
    """Who made a response, and its name there; ``id`` None: it is not kept there."""

    upstream: str
    id: str | None = None


class _Told(msgspec.Struct):
    id: str | None = None
    store: bool | None = None


_decode: Final = msgspec.json.Decoder(_Told).decode


class RelayNotes(msgspec.Struct):
    """A relayed request.

    ``fields`` is the body as the upstream gets it, ``said`` what responses say to the client in place of what the
    upstream says there, mostly nothing. ``request`` is what is stored; ``strict`` the same as it was known before, if
    it was. ``grown`` are the tokens by which the estimate grew. ``final`` is the whole response once the upstream told
    it, empty before.
    """

    fields: dict[str, msgspec.Raw]
    request: ResponseRequest
    upstream: str
    strict: ResponseRequest | None = None
    said: dict[str, msgspec.Raw] = {}
    grown: int = 0
    final: bytes = b""

    def copy(self) -> UpstreamCopy:
        """What the upstream says of its own copy; one that does not say to keep it, does not."""
        try:
            told = _decode(self.final)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return UpstreamCopy(self.upstream)
        is_kept = told.store is True and told.id is not None and 0 < len(told.id) <= _ID_CHARACTERS_MAX
        return UpstreamCopy(self.upstream, told.id if is_kept else None)


def read_request(ask: Ask) -> ResponseRequest | None:
    """What is known of a request from before this attempt; what an attempt to relay it added is taken back."""
    notes = ask.notes
    if isinstance(notes, RelayNotes):
        ask.prompt_estimate -= notes.grown
        notes = ask.notes = notes.strict
    return notes if isinstance(notes, ResponseRequest) else None
