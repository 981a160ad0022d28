"""From an OpenAI client to an OpenAI-compatible upstream: swap the model's name, relay the rest."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.providers.express.answer import ExpressAnswer
from pointsman.providers.fitting import Fitting

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
    knows survive and no second ``model`` can hide behind the first. ``fitting`` is for services with habits.
    """

    prepares = False

    def __init__(self, deployment: Deployment, operation: Operation, fitting: Fitting | None = None) -> None:
        self._fitting = fitting
        self._path = _PATHS[operation]
        self._model = msgspec.Raw(_encode(deployment.model))
        self._pinned = dict(deployment.pinned)
        self._key = b"" if deployment.api_key is None else deployment.api_key.reveal().encode()
        self._dropped = deployment.additional_drop_params

    async def prepare(self, ask: Ask) -> None:
        """Nothing to find out."""

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        fields = ask.fields.copy()
        fields["model"] = self._model
        for name, value in self._pinned.items():
            fields.setdefault(name, value)
        if ask.stream and not ask.include_usage:
            fields["stream_options"] = _with_usage(fields.get("stream_options"))
        for name in self._dropped:
            fields.pop(name, None)
        if self._fitting is not None:
            return Outbound(self._path, self._fitting.write(fields))
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
