"""How many tokens a conversation is, asked of an upstream that counts them itself.

Source: https://platform.claude.com/docs/en/api/messages-count-tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.errors import UpstreamFailed
from pointsman.core.flight import Sender
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.dialects.anthropic_messages.errors import read_error
from pointsman.providers.native.lane import ANTHROPIC_MESSAGES, NativeLane
from pointsman.providers.native.question import put_question
from pointsman.providers.registry import find_provider

__all__ = ["TokenCounter"]

_SECONDS: Final = 10.0
_PATH: Final = b"/v1/messages/count_tokens"
_FAULTS: Final = frozenset({400, 413, 422})
"""What the client did wrong, and should be told of; anything else is no reason not to estimate."""


class _Counted(msgspec.Struct):
    input_tokens: int


_decode: Final = msgspec.json.Decoder(_Counted).decode


class TokenCounter:
    """Asks the upstreams that speak Anthropic's dialect natively."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def count(
        self, deployment: Deployment, fields: Mapping[str, msgspec.Raw], versions: tuple[tuple[str, str], ...]
    ) -> int | None:
        """The tokens of a conversation in Anthropic's form, or None where this upstream does not tell.

        Raises:
            UpstreamFailed: the upstream finds fault with the conversation.
        """
        provider = find_provider(deployment.provider)
        if provider is None or provider.native != "anthropic":
            return None
        plain = msgspec.structs.replace(deployment, pinned={})
        ask = Ask(Operation.MESSAGES, "", dict(fields), versions=versions)
        written = NativeLane(plain, ANTHROPIC_MESSAGES).write(ask)
        question = Outbound(_PATH, written.body, headers=written.headers)
        try:
            told = await put_question(self._sender, plain, question, _SECONDS)
        except UpstreamFailed:
            return None
        if told.status in _FAULTS:
            raise read_error(told.status, told.body)
        try:
            return max(_decode(told.body).input_tokens, 0) if told.status == 200 else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
