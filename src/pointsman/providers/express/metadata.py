"""``metadata`` of a chat, before OpenAI itself: mostly it is meant for the gateway, as in LiteLLM.

OpenAI takes it beside ``store`` only, and texts only: https://platform.openai.com/docs/api-reference/chat/create. Other
servers pass over what they do not know, and gateways behind this one want it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.upstream import Deployment, Operation

__all__ = ["is_strict", "leave_metadata"]

_OPENAI: Final = (".openai.com", ".openai.azure.com")
_TRUE: Final = msgspec.Raw(b"true")

_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def is_strict(deployment: Deployment, operation: Operation) -> bool:
    """Whether it is OpenAI that is asked for a chat."""
    return operation is Operation.CHAT and any(host in deployment.api_base for host in _OPENAI)


def leave_metadata(fields: dict[str, msgspec.Raw]) -> None:
    """Leave of ``metadata`` what OpenAI takes."""
    try:
        said = _decode(fields["metadata"]) if fields.get("store") == _TRUE else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        said = {}
    texts = {name: raw for name, raw in said.items() if bytes(raw)[:1] == b'"'}
    if texts:
        fields["metadata"] = msgspec.Raw(_encode(texts))
    else:
        del fields["metadata"]
