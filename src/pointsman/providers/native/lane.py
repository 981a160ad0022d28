"""From a client to an upstream of the same dialect, where that is not OpenAI's chat: swap the model, relay the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import Message, Text
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.dialects.anthropic_messages.requests import write_request as write_messages
from pointsman.dialects.openai_responses.requests import write_request as write_responses
from pointsman.providers.native.anthropic import AnthropicMeter
from pointsman.providers.native.relayed import Meter, RelayedAnswer
from pointsman.providers.native.responses import ResponsesMeter
from pointsman.providers.parameters import Dropped
from pointsman.providers.translated.defaults import NOT_THE_OPERATORS, read_defaults
from pointsman.providers.versions import beta_headers

__all__ = ["ANTHROPIC_MESSAGES", "OPENAI_RESPONSES", "NativeDialect", "NativeLane"]

_encode: Final = msgspec.json.Encoder().encode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_OF_CHAT: Final = frozenset({
    "max_completion_tokens", "max_tokens", "parallel_tool_calls", "reasoning_effort", "response_format", "stop",
    "tool_choice", "tools", "user",
})  # fmt: skip
"""Fields of the operator that other dialects call otherwise, or give another shape."""

_DUMMY: Final = Call("any", (Message("user", (Text("any"),)),))


class NativeDialect(msgspec.Struct, frozen=True):
    """A dialect in which an upstream is asked as its client asked us.

    Attributes:
        path: Below the deployment's address.
        meter: Makes the reader of one answer.
        write: A whole request in this dialect; here for the operator's fields, which are written in OpenAI's names.
        beta: The header that names beta features.
    """

    path: bytes
    meter: Callable[[], Meter]
    write: Callable[[Call, str], bytes]
    beta: str


ANTHROPIC_MESSAGES: Final = NativeDialect(b"/v1/messages", AnthropicMeter, write_messages, "anthropic-beta")
OPENAI_RESPONSES: Final = NativeDialect(b"/responses", ResponsesMeter, write_responses, "openai-beta")


class NativeLane:
    """See :class:`pointsman.core.upstream.Lane`.

    The body is re-encoded from its top-level fields, each once and otherwise untouched, so that fields nobody knows
    survive and no second ``model`` can hide behind the first.

    Raises:
        Malformed, Unsupported: the operator's own fields say what cannot be said in this dialect.
    """

    def __init__(self, deployment: Deployment, dialect: NativeDialect) -> None:
        self.prepares = False
        self._dialect = dialect
        self._model = msgspec.Raw(_encode(deployment.model))
        self._defaults = _written_defaults(deployment.pinned, dialect)
        self._dropped = Dropped.of(deployment.additional_drop_params)
        self._key = b"" if deployment.api_key is None else deployment.api_key.reveal().encode()
        self._hidden = tuple(secret.encode() for secret in deployment.secrets)
        self._beta = dialect.beta
        self._own_headers = deployment.headers

    async def prepare(self, ask: Ask) -> None:
        """Nothing to find out."""

    async def question(self, ask: Ask) -> Outbound:
        """A request for nothing, which tells whether the upstream has this route; let in as ``ask`` would be."""
        return Outbound(self._dialect.path, b"{}")

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        headers = beta_headers(ask.versions, self._beta, self._own_headers) if ask.versions else ()
        return Outbound(self._dialect.path, _encode(self.fields_of(ask)), headers=headers)

    def fields_of(self, ask: Ask) -> dict[str, msgspec.Raw]:
        """The body's. What the request wants dropped goes before anything is added, the operator's at the end."""
        fields = ask.fields.copy()
        if ask.rules is not None:
            fields = Dropped.of(ask.rules.additional_drop_params).left_of(fields)
        fields["model"] = self._model
        for name, raw in self._defaults.items():
            fields.setdefault(name, raw)
        if self._dropped:
            fields = self._dropped.left_of(fields)
        return fields

    def answer(self, ask: Ask) -> RelayedAnswer:
        """See the protocol."""
        return RelayedAnswer(ask=ask, key=self._key, hidden=self._hidden, meter=self._dialect.meter())


def _written_defaults(pinned: Mapping[str, msgspec.Raw], dialect: NativeDialect) -> dict[str, msgspec.Raw]:
    """The operator's fields in this dialect; a name that is not one of OpenAI's chat is left as it is."""
    own = {name: raw for name, raw in pinned.items() if name not in _OF_CHAT | NOT_THE_OPERATORS}
    call = read_defaults({name: raw for name, raw in pinned.items() if name in _OF_CHAT})
    if call is None:
        return own
    nothing = _decode_fields(dialect.write(_DUMMY, "any"))
    written = _decode_fields(dialect.write(msgspec.structs.replace(call, messages=_DUMMY.messages), "any"))
    said = {name: raw for name, raw in written.items() if raw != nothing.get(name)}
    if call.sampling.max_tokens is not None and "max_tokens" in written:
        said["max_tokens"] = written["max_tokens"]
    return {**said, **own}
