"""``metadata`` of a chat, before OpenAI itself: mostly it is meant for the gateway, as in LiteLLM.

OpenAI takes it beside ``store`` only ("The 'metadata' parameter is only allowed when 'store' is enabled.", as cited in
https://github.com/spiceai/spiceai/pull/5231), and texts only, of which there may be 16 of at most 512 characters under
names of at most 64 (https://platform.openai.com/docs/api-reference/chat/create#chat-create-metadata; where there are
more or longer ones, its own answer says so best). Other servers pass over what they do not know, and gateways behind
this one want it. The Responses API takes texts whether they are stored or not.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.upstream import Deployment, Operation

__all__ = ["is_strict", "leave_metadata", "with_metadata", "with_text_metadata"]

_OPENAI: Final = (".openai.com", ".openai.azure.com")
_TRUE: Final = msgspec.Raw(b"true")

_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def is_strict(deployment: Deployment, operation: Operation) -> bool:
    """Whether it is OpenAI that is asked for a chat."""
    return operation is Operation.CHAT and any(host in deployment.api_base for host in _OPENAI)


def leave_metadata(fields: dict[str, msgspec.Raw]) -> None:
    """Leave of ``metadata`` what OpenAI takes of a chat."""
    texts = _texts(fields["metadata"]) if fields.get("store") == _TRUE else None
    if texts is not None:
        fields["metadata"] = texts
    else:
        del fields["metadata"]


def with_metadata(call: Call, deployment: Deployment) -> Call:
    """A chat with no more of it than OpenAI takes, if it is OpenAI that is asked."""
    if "metadata" not in call.extra or not is_strict(deployment, Operation.CHAT):
        return call
    extra = dict(call.extra)
    leave_metadata(extra)
    return msgspec.structs.replace(call, extra=extra)


def with_text_metadata(call: Call) -> Call:
    """A request of the Responses API with no more of it than texts."""
    if "metadata" not in call.extra:
        return call
    extra = dict(call.extra)
    texts = _texts(extra.pop("metadata"))
    return msgspec.structs.replace(call, extra=extra if texts is None else {**extra, "metadata": texts})


def _texts(raw: msgspec.Raw) -> msgspec.Raw | None:
    """Its texts; None: it has none."""
    try:
        said = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    texts = {name: value for name, value in said.items() if bytes(value)[:1] == b'"'}
    return msgspec.Raw(_encode(texts)) if texts else None
