"""``allowed_openai_params``: parameters that go to the upstream as they are, although its dialect has no word for them.

As in LiteLLM, only a parameter that the request holds and the translation does not carry over is passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.core.call import Call, Sampling
from pointsman.core.content import Message, Text
from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Deployment, Outbound
from pointsman.dialects.droppable import without
from pointsman.providers.registry import find_provider

__all__ = ["Write", "lost_parameters", "with_parameters", "write_allowing"]

Write = Callable[[Call, Deployment], Outbound]
"""Writes the upstream's request: a far side's ``write``."""

_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

_PLACES: Final[Mapping[str | None, str]] = MappingProxyType({
    "ollama": "options", "gemini": "generationConfig", "bedrock": "additionalModelRequestFields",
})  # fmt: skip
"""Where a dialect has its parameters, if that is not the top of the body."""

_WHOLE: Final = ("tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning", "user")
_HELLO: Final = (Message("user", (Text("Hello"),)),)


def write_allowing(write: Write, call: Call, deployment: Deployment, fields: Mapping[str, msgspec.Raw]) -> Outbound:
    """The upstream's request, with the allowed ones of ``fields`` that it would have lost.

    Raises:
        Malformed, Unsupported: the upstream cannot express the rest; the message names what.
    """
    lost = lost_parameters(write, call, deployment, fields)
    return with_parameters(write(without(call, lost), deployment), deployment, {name: fields[name] for name in lost})


def lost_parameters(
    write: Write, call: Call, deployment: Deployment, fields: Mapping[str, msgspec.Raw]
) -> tuple[str, ...]:
    """The allowed parameters that the request holds and the upstream's dialect has no word for."""
    names = [name for name in dict.fromkeys(deployment.allowed_openai_params) if name in fields]
    return tuple(name for name in names if not _is_carried_over(write, call, deployment, name))


def with_parameters(outbound: Outbound, deployment: Deployment, passed: Mapping[str, msgspec.Raw]) -> Outbound:
    """The request with more parameters, where its dialect has them; what it has already stays as it is."""
    if not passed:
        return outbound
    provider = find_provider(deployment.provider)
    place = _PLACES.get(None if provider is None else provider.native)
    body = _decode(outbound.body)
    if place is None:
        body = {**passed, **body}
    else:
        inner = _decode(body[place]) if place in body else {}
        body[place] = msgspec.Raw(_encode({**passed, **inner}))
    return msgspec.structs.replace(outbound, body=_encode(body))


def _is_carried_over(write: Write, call: Call, deployment: Deployment, name: str) -> bool:
    """Whether the parameter, alone, makes the upstream's request another one."""
    strict = msgspec.structs.replace(deployment, drop_params=False)
    plain = Call(call.model, _HELLO, tools=without(call, [name]).tools)
    try:
        return write(_with_only(plain, call, name), strict).body != write(plain, strict).body
    except GatewayError:
        return False


def _with_only(plain: Call, call: Call, name: str) -> Call:
    """``plain`` with what the parameter of ``call`` stands for."""
    rest = without(call, [name])
    changes: dict[str, object] = {
        field: getattr(call, field) for field in _WHOLE if getattr(call, field) != getattr(rest, field)
    }
    knobs = {
        knob: getattr(call.sampling, knob)
        for knob in Sampling.__struct_fields__
        if getattr(call.sampling, knob) != getattr(rest.sampling, knob)
    }
    extra = {key: raw for key, raw in call.extra.items() if key not in rest.extra}
    return msgspec.structs.replace(plain, sampling=msgspec.structs.replace(Sampling(), **knobs), extra=extra, **changes)
