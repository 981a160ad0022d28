"""From an OpenAI client to an OpenAI-compatible upstream: swap the model's name, relay the rest."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.catalog.services import services_of
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.providers.express.answer import ExpressAnswer
from pointsman.providers.fitting import Fitting
from pointsman.providers.naming import Renaming
from pointsman.providers.openai_metadata import is_strict, leave_metadata
from pointsman.providers.parameters import Dropped, ruled
from pointsman.providers.service_tiers import asked_tier
from pointsman.providers.tokens import Credential, token_in
from pointsman.providers.versions import beta_headers, family_of

__all__ = ["ExpressLane", "ExpressWay", "plain_way"]

_encode: Final = msgspec.json.Encoder().encode
_INCLUDE_USAGE: Final = msgspec.Raw(b'{"include_usage":true}')

_PATHS: Final = {
    Operation.CHAT: b"/chat/completions",
    Operation.COMPLETION: b"/completions",
    Operation.EMBEDDING: b"/embeddings",
}


class ExpressWay(msgspec.Struct, frozen=True):
    """Where a cloud differs from a plain OpenAI-compatible server.

    ``path`` and ``stream_path`` are below the deployment's ``api_base``; ``model`` is what the body calls the model;
    ``newer_limit``: the model knows the bound on its answer as ``max_completion_tokens`` only.
    """

    path: bytes
    stream_path: bytes
    model: str
    credential: Credential | None = None
    newer_limit: bool = False


def plain_way(deployment: Deployment, operation: Operation, *, newer_limit: bool = False) -> ExpressWay:
    """The way to an OpenAI-compatible server; see :class:`ExpressWay`."""
    return ExpressWay(_PATHS[operation], _PATHS[operation], deployment.model, newer_limit=newer_limit)


class ExpressLane:
    """See :class:`pointsman.core.upstream.Lane`; ``way`` None: a plain OpenAI-compatible server.

    The body is re-encoded from its top-level fields, each once and otherwise untouched, so that fields nobody
    knows survive and no second ``model`` can hide behind the first. ``fitting`` is for services with habits.
    """

    def __init__(
        self,
        deployment: Deployment,
        operation: Operation,
        fitting: Fitting | None = None,
        *,
        way: ExpressWay | None = None,
    ) -> None:
        way = way or plain_way(deployment, operation)
        self._fitting = fitting
        self._is_strict = is_strict(deployment, operation)
        self._deployment = deployment
        self._path = way.path
        self._stream_path = way.stream_path
        self._credential = way.credential
        self._newer_limit = way.newer_limit
        self.prepares = way.credential is not None
        self._model = msgspec.Raw(_encode(way.model))
        self._pinned = dict(deployment.pinned)
        self._key = b"" if deployment.api_key is None else deployment.api_key.reveal().encode()
        self._renaming = Renaming()
        self._hidden = tuple(secret.encode() for secret in deployment.secrets)
        self._dropped = Dropped.of(deployment.additional_drop_params)
        self._drops = bool(self._dropped)
        self._beta = family_of(deployment)
        self._own_headers = deployment.headers
        self._has_tiers = bool(services_of(deployment.price))
        self._answers_plainly = way.credential is None and not self._has_tiers
        self._is_plain = not (self._pinned or self._drops or way.newer_limit or fitting or way.credential)

    async def prepare(self, ask: Ask) -> None:
        """See the protocol; only a cloud's credential has to be got."""
        if self._credential is not None:
            await self._credential.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol. What the request wants dropped goes before anything is added, the operator's at the end."""
        fields = ask.fields.copy()
        if self._is_strict and "metadata" in fields:
            leave_metadata(fields)
        if self._is_plain and ask.rules is None and not ask.versions:
            # Nearly all requests to nearly all servers.
            fields["model"] = self._model
            if ask.stream and not ask.include_usage:
                fields["stream_options"] = _with_usage(fields.get("stream_options"))
            return Outbound(self._stream_path if ask.stream else self._path, _encode(fields))
        if ask.rules is not None:
            fields = Dropped.of(ask.rules.additional_drop_params).left_of(fields)
        fields["model"] = self._model
        for name, value in self._pinned.items():
            fields.setdefault(name, value)
        # What the request drops of its own must not be what the gateway counts by.
        if ask.stream and (not ask.include_usage or ask.rules is not None):
            fields["stream_options"] = _with_usage(fields.get("stream_options"))
        if self._drops:
            fields = self._dropped.left_of(fields)
        if self._newer_limit and "max_tokens" in fields:
            limit = fields.pop("max_tokens")
            fields.setdefault("max_completion_tokens", limit)
        fitting = self._fitting
        if fitting is not None and ask.rules is not None:
            fitting = fitting.under(ruled(self._deployment, ask.rules))
        body = _encode(fields) if fitting is None else fitting.write(fields)
        path = self._stream_path if ask.stream else self._path
        headers = () if self._credential is None else self._credential.headers()
        if ask.versions:
            headers = (*headers, *beta_headers(ask.versions, self._beta, self._own_headers))
        return Outbound(path, body, headers=headers)

    def answer(self, ask: Ask) -> ExpressAnswer:
        """See the protocol."""
        if self._answers_plainly:
            return ExpressAnswer(ask, self._key, self._hidden, renaming=self._renaming)
        tier = asked_tier(ask) if self._has_tiers else None
        if self._credential is None:
            return ExpressAnswer(ask, self._key, self._hidden, renaming=self._renaming, tier=tier)
        token, told = token_in(self._credential.headers()), self._credential.answered
        return ExpressAnswer(ask, token or self._key, self._hidden, on_error=told, renaming=self._renaming, tier=tier)


def _with_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    if options is None or bytes(options) == b"null":
        return _INCLUDE_USAGE
    wanted = msgspec.json.decode(options, type=dict[str, msgspec.Raw])
    wanted["include_usage"] = msgspec.Raw(b"true")
    return msgspec.Raw(_encode(wanted))
