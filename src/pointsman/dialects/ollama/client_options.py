"""What a client of Ollama says beside its words: options, format, thinking, and what is kept for an upstream.

``options`` are taken apart: what the common vocabulary has becomes :class:`~pointsman.core.call.Sampling`; Ollama's own
(``num_ctx``, ``repeat_penalty``, …) are kept under their names as if they stood at the top level, where every dialect
can name them; those that Ollama does not know either, and would pass over, stay together as ``options``. An option at
the top level counts too, though Ollama does not look for it there: an operator's defaults are put there, and some apps
put theirs. ``options`` wins.

``truncate`` and ``shift`` are not kept: whether a prompt is cut is the gateway's to decide, and it never cuts one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pointsman.core.call import Reasoning, ResponseFormat, Sampling
from pointsman.core.errors import Malformed
from pointsman.dialects.ollama.client_types import AskedOptions
from pointsman.dialects.ollama.knobs import OPTIONS
from pointsman.wire.json_fields import decode_field

__all__ = ["read_extra", "read_format", "read_reasoning", "read_sampling"]

_decode_options: Final = msgspec.json.Decoder(AskedOptions).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_encode: Final = msgspec.json.Encoder().encode

_NULL: Final = msgspec.Raw(b"null")
_SAMPLED: Final = frozenset(AskedOptions.__struct_fields__)
_OWN: Final = OPTIONS - {"num_predict"} | {"num_ctx"}
_NOT_KEPT: Final = frozenset({"_debug_render_only", "shift", "truncate"})
_EFFORTS: Final = frozenset({"minimal", "low", "medium", "high", "xhigh", "max", "ultra"})
_QUOTED_CHARACTERS_MAX: Final = 40

_SCHEMA_NAME: Final = "response"
"""Ollama's schemas have no name, and OpenAI's must have one."""


def read_sampling(
    fields: Mapping[str, msgspec.Raw],
    options: Mapping[str, msgspec.Raw] | None,
    logprobs: tuple[bool | None, int | None],
) -> Sampling:
    """The tuning knobs.

    Args:
        fields: The top-level fields of the body.
        options: Its ``options``.
        logprobs: ``logprobs`` and ``top_logprobs``.

    Raises:
        Malformed: one is of a wrong type; ``param`` is its path.
    """
    flat = {name: fields[name] for name in _SAMPLED & fields.keys()}
    above = decode_field("", msgspec.Raw(_encode(flat)), _decode_options) if flat else AskedOptions()
    said = {name: raw for name, raw in (options or {}).items() if name in _SAMPLED}
    inner = decode_field("options", msgspec.Raw(_encode(said)), _decode_options) if said else AskedOptions()
    chosen = AskedOptions(**{
        name: value if (value := getattr(inner, name)) is not None else getattr(above, name) for name in _SAMPLED
    })  # fmt: skip
    seed = _whole(chosen.seed)
    stop = (chosen.stop,) if isinstance(chosen.stop, str) else tuple(chosen.stop or ())
    limits = (_whole(limit) for limit in (chosen.num_predict, chosen.max_completion_tokens, chosen.max_tokens))
    return Sampling(
        temperature=chosen.temperature,
        top_p=chosen.top_p,
        top_k=_whole(chosen.top_k),
        min_p=chosen.min_p,
        # Ollama's -1 asks for chance, which is what every other upstream gives unasked.
        seed=None if seed is None or seed < 0 else seed,
        stop=tuple(text for text in stop if text) or None,
        presence_penalty=chosen.presence_penalty,
        frequency_penalty=chosen.frequency_penalty,
        max_tokens=next((limit for limit in limits if limit is not None and limit > 0), None),
        logprobs=logprobs[0],
        top_logprobs=logprobs[1],
    )


def read_extra(
    fields: Mapping[str, msgspec.Raw], options: Mapping[str, msgspec.Raw] | None, known: Iterable[str]
) -> dict[str, msgspec.Raw]:
    """What the common vocabulary has no word for, as raw JSON by name; ``known`` are the names read elsewhere."""
    dropped = _NOT_KEPT | _SAMPLED | set(known)
    extra = {name: raw for name, raw in fields.items() if name not in dropped and raw != _NULL}
    rest: dict[str, msgspec.Raw] = {}
    for name, raw in (options or {}).items():
        if raw == _NULL or name in _SAMPLED:
            continue
        (extra if name in _OWN else rest)[name] = raw
    if rest:
        extra["options"] = msgspec.Raw(_encode(rest))
    return extra


def read_format(raw: msgspec.Raw | msgspec.UnsetType) -> ResponseFormat | None:
    """The shape of the answer: the word ``json``, or a JSON Schema.

    Raises:
        Malformed: it is neither.
    """
    if not isinstance(raw, msgspec.Raw) or raw == _NULL:
        return None
    first = memoryview(raw)[0]
    if first == ord("{"):
        return ResponseFormat("json_schema", _SCHEMA_NAME, raw)
    if first == ord('"'):
        word = decode_field("format", raw, _decode_text)
        if word == "json":
            return ResponseFormat("json_object")
        if not word:
            return None
    raise Malformed('format must be "json" or a JSON Schema object.', param="format")


def read_reasoning(think: bool | str | None) -> Reasoning | None:  # noqa: FBT001 - the field is a flag or a word
    """Whether, or how hard, to think.

    Raises:
        Malformed: it is a word that is no level.
    """
    if think is None:
        return None
    if isinstance(think, bool):
        return Reasoning(enabled=think)
    if think not in _EFFORTS:
        shown = think[:_QUOTED_CHARACTERS_MAX]
        raise Malformed(f"think must be true, false or a level such as high, not '{shown}'.", param="think")
    return Reasoning(effort=think)


def _whole(number: float | None) -> int | None:
    """A whole number, cut off as Ollama does it; infinities cannot be written in JSON."""
    return None if number is None else int(number)
