"""From an OpenAI client to an OpenAI-compatible upstream: swap the model's name, relay the rest."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.providers.express.answer import ExpressAnswer
from pointsman.providers.parameters import Dropped
from pointsman.providers.versions import beta_headers, family_of

__all__ = ["ExpressLane"]

_encode: Final = msgspec.json.Encoder().encode
_INCLUDE_USAGE: Final = msgspec.Raw(b'{"include_usage":true}')

_PATHS: Final = {
    Operation.CHAT: b"/chat/completions",
    Operation.COMPLETION: b"/completions",
    Operation.EMBEDDING: b"/embeddings",
}


class ExpressLane:
    """See :class:`pointsman.core.upstream.Lane`.

    The body is re-encoded from its top-level fields, each once and otherwise untouched, so that fields nobody
    knows survive and no second ``model`` can hide behind the first.
    """

    prepares = False

    def __init__(self, deployment: Deployment, operation: Operation) -> None:
        self._path = _PATHS[operation]
        self._model = msgspec.Raw(_encode(deployment.model))
        self._pinned = dict(deployment.pinned)
        self._key = b"" if deployment.api_key is None else deployment.api_key.reveal().encode()
        self._dropped = Dropped.of(deployment.additional_drop_params)
        self._beta = family_of(deployment)
        self._own_headers = deployment.headers

    async def prepare(self, ask: Ask) -> None:
        """Nothing to find out."""

    def write(self, ask: Ask) -> Outbound:
        """See the protocol. What the request wants dropped goes before anything is added, the operator's at the end."""
        fields = ask.fields.copy()
        if ask.rules is not None:
            fields = Dropped.of(ask.rules.additional_drop_params).left_of(fields)
        fields["model"] = self._model
        for name, value in self._pinned.items():
            fields.setdefault(name, value)
        if ask.stream and not ask.include_usage:
            fields["stream_options"] = _with_usage(fields.get("stream_options"))
        if self._dropped:
            fields = self._dropped.left_of(fields)
        if ask.versions:
            return Outbound(
                self._path, _encode(fields), headers=beta_headers(ask.versions, self._beta, self._own_headers)
            )
        return Outbound(self._path, _encode(fields))

    def answer(self, ask: Ask) -> ExpressAnswer:
        """See the protocol."""
        return ExpressAnswer(ask, self._key)


def _with_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    if options is None or bytes(options) == b"null":
        return _INCLUDE_USAGE
    wanted = msgspec.json.decode(options, type=dict[str, msgspec.Raw])
    wanted["include_usage"] = msgspec.Raw(b"true")
    return msgspec.Raw(_encode(wanted))
