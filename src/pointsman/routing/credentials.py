"""What is known of the credentials at providers: what is dead or limited is so for all deployments that use it."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.routing.circuit import Circuit

__all__ = ["Credential", "CredentialBook"]

_CREDENTIALS_MAX: Final = 16_384
_LIMITED_MODELS_MAX: Final = 256
_REST_SECONDS_MAX: Final = 300.0


class Credential(msgspec.Struct, eq=False):
    """One key at one provider. ``deaths`` counts in a row how often it was refused.

    ``limited`` has, by the upstream's name of a model, until when the provider wants no more: limits are by model.
    """

    circuit: Circuit = msgspec.field(default_factory=Circuit)
    limited: dict[str, float] = msgspec.field(default_factory=dict)
    deaths: int = 0

    def admits(self, model: str, now: float) -> bool:
        """Whether a request for the upstream's ``model`` may be sent with it."""
        if self.limited and self.limited.get(model, 0.0) > now:
            return False
        return self.circuit.admits(now)

    def refused(self, now: float, seconds: float) -> None:
        """The provider will have nothing of it. Each time in a row it rests twice as long, up to five minutes."""
        self.circuit.open(now, max(seconds, min(seconds * 2.0**self.deaths, _REST_SECONDS_MAX)))
        self.deaths = min(self.deaths + 1, 30)

    def limit(self, model: str, until: float) -> None:
        """The provider wants no more requests for ``model`` until then."""
        if len(self.limited) >= _LIMITED_MODELS_MAX:
            self.limited.clear()
        self.limited[model] = max(self.limited.get(model, 0.0), until)

    def answered(self, model: str, sent_at: float) -> None:
        """What was sent then was accepted."""
        self.limited.pop(model, None)
        self.circuit.answered(sent_at)
        if not self.circuit.rests_until:
            self.deaths = 0


class CredentialBook:
    """Every credential, known by a digest; a key that is changed in the configuration is another one."""

    def __init__(self) -> None:
        self._credentials: dict[str, Credential] = {}

    def of(self, deployment: Deployment) -> Credential | None:
        """The credential of a deployment; None where it has no key of its own."""
        if deployment.api_key is None:
            return None
        host = deployment.api_base.partition("://")[2].partition("/")[0]
        digest = sha256(f"{deployment.provider}\n{host}\n{deployment.api_key.reveal()}".encode()).hexdigest()
        credential = self._credentials.get(digest)
        if credential is None:
            if len(self._credentials) >= _CREDENTIALS_MAX:
                self._credentials = {key: kept for key, kept in self._credentials.items() if kept.deaths}
            credential = self._credentials[digest] = Credential()
        return credential
