"""How an operator wants single deployments handled, where that is not as all others are."""

from __future__ import annotations

import msgspec

__all__ = ["USUAL", "CacheMark", "Handling"]


class CacheMark(msgspec.Struct, frozen=True):
    """Where a prefix ends that the provider shall cache: behind the tools, or a message.

    That is the one with this ``index``, from the end where it is negative, else each of the ``role``. ``control`` is
    what stands there, raw JSON in Anthropic's form; None: what is usual.
    """

    on_tools: bool = False
    role: str | None = None
    index: int | None = None
    control: msgspec.Raw | None = None


class Handling(msgspec.Struct, frozen=True):
    """``mock_response`` is answered in place of asking anybody, as raw JSON.

    ``merges_reasoning``: streamed chats have it in their text. ``cache_marks`` are set where the request has none.
    ``chats_only``: whoever asks for a response gets it from a chat. ``lends`` says whether address and key serve for
    the provider's own API, None: where no others are meant for that. ``upload_megabytes_max`` bounds recordings.
    ``forwards_user``: it is told whose call it is.
    """

    mock_response: msgspec.Raw | None = None
    merges_reasoning: bool = False
    cache_marks: tuple[CacheMark, ...] = ()
    chats_only: bool = False
    lends: bool | None = None
    upload_megabytes_max: float | None = None
    forwards_user: bool = False


USUAL = Handling()
