"""What answers about images, audio and rerank say of their usage, in the several forms that services have.

Sources: https://platform.openai.com/docs/api-reference (images, audio: ``input_tokens``, or ``seconds``),
https://docs.cohere.com/reference/rerank (``meta.billed_units``), https://api.jina.ai/redoc (``usage.total_tokens``).
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from pointsman.core.upstream import Ask, Operation
from pointsman.core.usage import Units, Usage

__all__ = ["ExtrasMeter", "read_extras_usage"]

_COUNT_MAX: Final = 2**53
_SECONDS_MAX: Final = 10**7
_DOCUMENTS_PER_UNIT: Final = 100
"""Cohere's search unit: one query with up to so many documents."""
_MILLISECONDS: Final = 1000
_IMAGES: Final = frozenset({Operation.IMAGE, Operation.IMAGE_EDIT, Operation.IMAGE_VARIATION})

_Count = Annotated[int, msgspec.Meta(ge=0, le=_COUNT_MAX)]
_Amount = Annotated[float, msgspec.Meta(ge=0, le=_SECONDS_MAX)]

_text: Final = msgspec.json.Decoder(str).decode
_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Details(msgspec.Struct):
    image_tokens: _Count | None = None
    audio_tokens: _Count | None = None
    cached_tokens: _Count | None = None


class _UsageWire(msgspec.Struct):
    """``usage``. Images have ``…_tokens_details``, transcriptions ``…_token_details``."""

    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    total_tokens: _Count | None = None
    seconds: _Amount | None = None
    input_tokens_details: _Details | None = None
    input_token_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Billed(msgspec.Struct):
    search_units: _Amount | None = None
    input_tokens: _Amount | None = None
    output_tokens: _Amount | None = None


class _Meta(msgspec.Struct):
    billed_units: _Billed | None = None
    tokens: _Billed | None = None


class ExtrasMeter(msgspec.Struct):
    """The fields of a whole answer, or of one streamed event, that are looked at."""

    usage: _UsageWire | None = None
    meta: _Meta | None = None
    duration: _Amount | None = None
    data: list[msgspec.Raw] | None = None
    error: msgspec.Raw = msgspec.Raw()

    @property
    def counts(self) -> bool:
        """Whether it says anything of usage."""
        return self.usage is not None or self.meta is not None


def read_extras_usage(meter: ExtrasMeter, ask: Ask) -> Usage:
    """The counts; what the upstream did not count is estimated from the request."""
    wire = meter.usage or _UsageWire()
    tokens = (meter.meta and meter.meta.tokens) or _Billed()
    prompt = _first(wire.input_tokens, wire.prompt_tokens, wire.total_tokens, tokens.input_tokens)
    completion = _first(wire.output_tokens, wire.completion_tokens, tokens.output_tokens) or 0
    inputs = wire.input_tokens_details or wire.input_token_details or _Details()
    units = _units(meter, wire, ask, completion)
    if prompt is None:
        measured = units.milliseconds > 0 or bool(meter.meta)
        return Usage(
            0 if measured else ask.prompt_estimate, source="measured" if measured else "estimated", units=units
        )
    return Usage(
        prompt,
        completion,
        cached=inputs.cached_tokens or 0,
        audio_input=inputs.audio_tokens or 0,
        source="measured",
        units=units,
    )


def _units(meter: ExtrasMeter, wire: _UsageWire, ask: Ask, completion: int) -> Units:
    operation = ask.operation
    if operation in _IMAGES:
        inputs, outputs = wire.input_tokens_details or _Details(), wire.output_tokens_details
        made = completion if outputs is None or outputs.image_tokens is None else outputs.image_tokens
        images = ask.choices if meter.data is None else len(meter.data)
        return Units(images=images, image_input=inputs.image_tokens or 0, image_output=made)
    if operation is Operation.SPEECH:
        return Units(characters=len(_text(ask.fields["input"])))
    if operation is Operation.RERANK:
        billed = (meter.meta and meter.meta.billed_units) or _Billed()
        if billed.search_units is not None:
            return Units(queries=round(billed.search_units))
        return Units(queries=-(-len(_items(ask.fields["documents"])) // _DOCUMENTS_PER_UNIT))
    if operation is Operation.MODERATION:
        return Units()
    # Where tokens are counted they are what is charged, whatever else the answer says of its length.
    seconds = 0 if wire.input_tokens is not None else wire.seconds or meter.duration or 0
    return Units(milliseconds=round(seconds * _MILLISECONDS))


def _first(*counts: float | None) -> int | None:
    return next((round(count) for count in counts if count is not None), None)
