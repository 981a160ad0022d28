"""The question the rest of the gateway asks: what is known about this provider's model?"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.catalog.models import ModelFacts
from pointsman.catalog.names import candidates, is_local, same_provider, undated
from pointsman.catalog.snapshot import Header, Snapshot, packaged_bytes
from pointsman.core.price import FREE
from pointsman.wire.limits import MODEL_NAME_BYTES_MAX

__all__ = ["Catalog"]

REMEMBERED_MAX: Final = 4096
"""Answers kept; clients choose model names where a wildcard is served, so there must be an end."""


class Catalog:
    """Facts about models, from the file of this package; :func:`.overrides.merge` puts an operator's word above it.

    Opens the file at the first question (5 ms, 0.75 MB) and remembers answers, so it may be asked per call.
    What a running server says about its own models (Ollama's ``/api/show``) is better than any of this.
    """

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self._snapshot = Snapshot(packaged_bytes) if snapshot is None else snapshot
        self._remembered: dict[tuple[str, str, str | None], ModelFacts | None] = {}

    @property
    def header(self) -> Header:
        """The provenance of the file."""
        return self._snapshot.header

    def facts(self, provider: str, model: str, *, base_model: str | None = None) -> ModelFacts | None:
        """What is known about a model, or None.

        ``model`` is the upstream's name for it, with or without ``provider/``. ``base_model`` is the row that
        the operator names instead (an Azure deployment has a name of its own); any provider's row will do,
        and if it is unknown the model's own name decides. :func:`pointsman.catalog.names.candidates` gives
        the order in which rows are tried. Local models are free, known or not.
        """
        if len(model) > MODEL_NAME_BYTES_MAX:
            return None
        question = (provider, model, base_model)
        if question in self._remembered:
            return self._remembered[question]
        known = self._find(provider, model, base_model)
        if is_local(provider):
            known = msgspec.structs.replace(known or ModelFacts(key=model, source="local"), price=FREE)
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[question] = known
        return known

    def models_of(self, provider: str) -> tuple[str, ...]:
        """The provider's names of its models; see :attr:`pointsman.catalog.snapshot.Snapshot.models`."""
        return self._snapshot.models.get(provider.lower(), ())

    def _find(self, provider: str, model: str, base_model: str | None) -> ModelFacts | None:
        if base_model is not None:
            found = self._exact(base_model) or self._search(provider, base_model)
            if found is not None:
                return found
        return self._search(provider, model)

    def _exact(self, key: str) -> ModelFacts | None:
        row = self._snapshot.row(key)
        return None if row is None else self._snapshot.facts(key, row)

    def _search(self, provider: str, model: str) -> ModelFacts | None:
        for key in candidates(provider, model):
            row = self._snapshot.row(key)
            if row is not None and same_provider(provider, row.provider):
                return self._snapshot.facts(key, row)
        for name in undated(provider, model):
            key_of_newest = self._snapshot.newest_dated(name)
            row = None if key_of_newest is None else self._snapshot.row(key_of_newest)
            if key_of_newest is not None and row is not None and same_provider(provider, row.provider):
                return self._snapshot.facts(key_of_newest, row)
        return None
