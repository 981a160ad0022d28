"""The operator's own fields (``litellm_params``, in OpenAI's names), where the client said nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.call import Call, Sampling
from pointsman.dialects.openai_chat.requests import read_request

__all__ = ["NOT_THE_OPERATORS", "read_defaults", "with_defaults"]

NOT_THE_OPERATORS: Final = frozenset({"model", "messages", "stream", "stream_options"})
"""Fields that decide how the client is answered; a default for them would contradict what was read before."""

_DUMMY: Final = {
    "model": msgspec.Raw(b'"any"'),
    "messages": msgspec.Raw(b'[{"role":"user","content":"any"}]'),
}
_WHOLE: Final = ("tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning", "user")


def read_defaults(pinned: Mapping[str, msgspec.Raw]) -> Call | None:
    """The operator's fields as a call without a message; None where there are none.

    Raises:
        Malformed, Unsupported: a field has a value that it cannot have.
    """
    fields = {name: raw for name, raw in pinned.items() if name not in NOT_THE_OPERATORS}
    return read_request(msgspec.json.encode({**_DUMMY, **fields})) if fields else None


def with_defaults(call: Call, defaults: Call | None) -> Call:
    """``call`` with the operator's fields where the client said nothing."""
    if defaults is None:
        return call
    changes: dict[str, object] = {
        name: getattr(defaults, name)
        for name in _WHOLE
        if getattr(call, name) in (None, ()) and getattr(defaults, name) not in (None, ())
    }
    given = {
        name: getattr(defaults.sampling, name)
        for name in Sampling.__struct_fields__
        if getattr(call.sampling, name) is None
    }
    sampling = msgspec.structs.replace(call.sampling, **given)
    extra = {**defaults.extra, **call.extra}
    return msgspec.structs.replace(call, sampling=sampling, extra=extra, **changes)
