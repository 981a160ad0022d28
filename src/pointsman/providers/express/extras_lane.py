"""From an OpenAI client to an OpenAI-compatible upstream for all that is no conversation: images, audio, rerank."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.clock import short_id
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.dialects.openai_extras.forms import FormNotes
from pointsman.providers.express.extras_answer import EventsAnswer, ExtrasAnswer
from pointsman.providers.express.lane import ExpressWay
from pointsman.providers.express.rerank import VoyageAnswer, rerank_path, voyage_fields
from pointsman.providers.parameters import Dropped
from pointsman.providers.tokens import token_in
from pointsman.providers.versions import beta_headers, family_of
from pointsman.wire.multipart import Form, FormPart, encode_form

__all__ = ["EXTRAS_PATHS", "ExtrasLane"]

_encode: Final = msgspec.json.Encoder().encode
_text: Final = msgspec.json.Decoder(str).decode

EXTRAS_PATHS: Final = {
    Operation.IMAGE: b"/images/generations",
    Operation.IMAGE_EDIT: b"/images/edits",
    Operation.IMAGE_VARIATION: b"/images/variations",
    Operation.SPEECH: b"/audio/speech",
    Operation.TRANSCRIPTION: b"/audio/transcriptions",
    Operation.TRANSLATION: b"/audio/translations",
    Operation.MODERATION: b"/moderations",
    Operation.RERANK: b"/rerank",
}
"""What this lane serves, and where below ``api_base``."""

_EVENTS: Final = msgspec.Raw(b'"sse"')
_QUOTE: Final = b'"'


class ExtrasLane:
    """See :class:`pointsman.core.upstream.Lane`; ``way`` None: a plain OpenAI-compatible server.

    A JSON body is written anew from its top-level fields, a form from its parts, so that no second ``model`` can hide
    behind the first. The contents of files are passed on as they are.
    """

    def __init__(self, deployment: Deployment, operation: Operation, *, way: ExpressWay | None = None) -> None:
        path = rerank_path(deployment) if operation is Operation.RERANK else EXTRAS_PATHS[operation]
        way = way or ExpressWay(path, path, deployment.model)
        self.prepares = way.credential is not None
        self._credential = way.credential
        self._path = way.path
        self._is_voyage = operation is Operation.RERANK and deployment.provider == "voyage"
        self._model = way.model
        self._pinned = dict(deployment.pinned)
        key = "" if deployment.api_key is None else deployment.api_key.reveal()
        self._hidden = tuple(secret.encode() for secret in (key, *deployment.secrets))
        self._drop_params = deployment.additional_drop_params
        self._dropped = Dropped.of(deployment.additional_drop_params)
        self._beta = family_of(deployment)
        self._own_headers = deployment.headers
        self._hint = (
            f"{deployment.provider} may not serve {path.decode()}, or may not have the model; choose another one."
        )

    async def prepare(self, ask: Ask) -> None:
        """See the protocol; only a cloud's credential has to be got."""
        if self._credential is not None:
            await self._credential.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        if isinstance(ask.notes, FormNotes):
            boundary = short_id("pointsman-").encode()
            body = encode_form(self._parts(ask.notes.form, ask), boundary)
            return Outbound(self._path, body, b"multipart/form-data; boundary=" + boundary, self._headers(ask))
        fields = ask.fields.copy()
        if ask.rules is not None:
            fields = Dropped.of(ask.rules.additional_drop_params).left_of(fields)
        fields["model"] = msgspec.Raw(_encode(self._model))
        for name, value in self._pinned.items():
            fields.setdefault(name, value)
        if self._dropped:
            fields = self._dropped.left_of(fields)
        body = _encode(voyage_fields(fields) if self._is_voyage else fields)
        return Outbound(self._path, body, headers=self._headers(ask))

    def answer(self, ask: Ask) -> ExtrasAnswer:
        """See the protocol."""
        on_error, hidden = None, self._hidden
        if self._credential is not None:
            on_error = self._credential.answered
            hidden = (token_in(self._credential.headers()), *hidden)
        if self._is_voyage:
            return VoyageAnswer(ask, hidden, self._hint, on_error)
        has_events = ask.operation is not Operation.SPEECH or ask.fields.get("stream_format") == _EVENTS
        return (EventsAnswer if has_events else ExtrasAnswer)(ask, hidden, self._hint, on_error)

    def _headers(self, ask: Ask) -> tuple[tuple[str, Secret], ...]:
        """A credential that was just got, and what the client says of versions."""
        credential = () if self._credential is None else self._credential.headers()
        if not ask.versions:
            return credential
        return (*credential, *beta_headers(ask.versions, self._beta, self._own_headers))

    def _parts(self, form: Form, ask: Ask) -> tuple[FormPart, ...]:
        """The form with the upstream's name for the model, and with what the operator adds and drops."""
        wanted = () if ask.rules is None else ask.rules.additional_drop_params
        dropped = frozenset(("model", *self._drop_params, *wanted))
        # What is no longer among the fields was for the gateway.
        own = [part for part in form.parts if part.name in ask.fields and part.name not in dropped]
        names = {part.name for part in own}
        # Only a plain value has one way of standing in a form.
        added = [
            FormPart(name, _plain(value))
            for name, value in self._pinned.items()
            if name not in names and name not in dropped and not bytes(value).startswith((b"{", b"["))
        ]
        return (FormPart("model", self._model.encode()), *added, *own)


def _plain(value: msgspec.Raw) -> bytes:
    raw = bytes(value)
    return _text(raw).encode() if raw.startswith(_QUOTE) else raw
