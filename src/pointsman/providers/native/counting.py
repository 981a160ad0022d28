"""How many tokens a conversation is, asked of an upstream that counts them itself.

Source for Anthropic: https://platform.claude.com/docs/en/api/messages-count-tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from pointsman.core.call import Call, Sampling
from pointsman.core.errors import GatewayError, Unsupported, UpstreamFailed
from pointsman.core.flight import Sender
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.dialects.anthropic_messages.errors import read_error
from pointsman.providers.native.lane import ANTHROPIC_MESSAGES, NativeLane
from pointsman.providers.native.question import put_question
from pointsman.providers.registry import find_provider
from pointsman.providers.tokens import Credential
from pointsman.providers.translated import CLIENTS, AnthropicFar, read_call

__all__ = ["AnthropicCount", "Count", "CountWay", "TokenCounter", "WayMaker", "call_to_count"]

_SECONDS: Final = 10.0
_PATH: Final = b"/v1/messages/count_tokens"
_FAULTS: Final = frozenset({400, 413, 422})
"""What the client did wrong, and should be told of; anything else is no reason not to estimate."""

_OF_ANSWERS: Final = ("max_tokens", "stream")
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Count(msgspec.Struct, frozen=True):
    """``total`` tokens; ``told`` is the upstream's whole answer, in the client's dialect if it ``is_native``."""

    total: int
    told: bytes = b""
    is_native: bool = False


class CountWay(Protocol):
    """How one deployment is asked. ``relays`` are the operations whose clients speak its dialect."""

    @property
    def relays(self) -> frozenset[Operation]:
        """See above."""
        ...

    async def prepare(self, ask: Ask) -> None:
        """Get what lets the question in.

        Raises:
            UpstreamFailed: it is not to be had.
        """
        ...

    def write(self, ask: Ask) -> Outbound:
        """The question.

        Raises:
            Malformed: the client's conversation is none.
            Unsupported: it cannot be asked here.
        """
        ...

    def read(self, body: bytes) -> int:
        """The count in an answer.

        Raises:
            UpstreamFailed, msgspec.MsgspecError, UnicodeDecodeError, RecursionError: there is none.
        """
        ...

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """What an error answer means."""
        ...


WayMaker = Callable[[Deployment], CountWay | None]
"""None: the deployment has no way to be asked."""


class TokenCounter:
    """Asks the upstreams that count; ``ways`` are by the word for the dialect in the registry of providers."""

    def __init__(self, sender: Sender, ways: Mapping[str, WayMaker]) -> None:
        self._sender = sender
        self._ways = ways

    async def count(self, deployment: Deployment, ask: Ask) -> Count | None:
        """The tokens of the conversation in ``ask``, or None where this upstream does not tell.

        Raises:
            Malformed: it is no conversation.
            UpstreamFailed: the upstream speaks the client's dialect, and finds fault with the conversation.
        """
        provider = find_provider(deployment.provider)
        maker = self._ways.get(provider.native or "") if provider is not None else None
        # The operator's own fields are for answers.
        plain = msgspec.structs.replace(deployment, pinned={})
        way = None if maker is None else maker(plain)
        if way is None:
            return None
        try:
            await way.prepare(ask)
            told = await put_question(self._sender, plain, way.write(ask), _SECONDS)
        except (UpstreamFailed, Unsupported):
            return None
        if told.status in _FAULTS and ask.operation in way.relays:
            raise way.read_error(told.status, told.body)
        if told.status != 200:
            way.read_error(told.status, told.body)
            return None
        try:
            return Count(max(way.read(told.body), 0), told.body, ask.operation in way.relays)
        except (UpstreamFailed, *_UNREADABLE):
            return None


class _Counted(msgspec.Struct):
    input_tokens: int


_decode: Final = msgspec.json.Decoder(_Counted).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


class AnthropicCount:
    """See :class:`CountWay`; for Anthropic's dialect wherever it is spoken.

    Args:
        deployment: Whom to ask.
        path: Where, below its address; asked for when the credential has been prepared.
        credential: What lets requests in, beyond a key.
        headers: What goes with each question.
        fields: What each question holds beside the conversation.
    """

    relays = frozenset({Operation.MESSAGES})

    def __init__(
        self,
        deployment: Deployment,
        path: Callable[[], bytes] = lambda: _PATH,
        credential: Credential | None = None,
        headers: tuple[tuple[str, Secret], ...] = (),
        fields: Mapping[str, msgspec.Raw] = {},
    ) -> None:
        self._deployment = deployment
        self._path = path
        self._credential = credential
        self._headers = headers
        self._fields = fields

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        if self._credential is not None:
            await self._credential.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        if ask.operation in self.relays:
            written = NativeLane(self._deployment, ANTHROPIC_MESSAGES).write(ask)
        else:
            written = AnthropicFar().write(call_to_count(ask), self._deployment)
        fields = {**self._fields, **_decode_fields(written.body)}
        for name in _OF_ANSWERS:
            fields.pop(name, None)
        credential = () if self._credential is None else self._credential.headers()
        return Outbound(self._path(), _encode(fields), headers=(*written.headers, *self._headers, *credential))

    def read(self, body: bytes) -> int:
        """See the protocol."""
        return _decode(body).input_tokens

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """See the protocol."""
        if self._credential is not None:
            self._credential.answered(status)
        return read_error(status, body)


def call_to_count(ask: Ask) -> Call:
    """What is counted of a request in another dialect: messages and tools, without what only an answer needs.

    Raises:
        Malformed, Unsupported: the message names the field.
    """
    call = read_call(CLIENTS[ask.operation], ask)
    return Call(call.model, call.messages, Sampling(), call.tools, call.tool_choice)
