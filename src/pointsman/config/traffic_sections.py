"""What can be said about the traffic of models, as typed data: ``pointsman.traffic`` and ``pointsman.bulkheads``.

Names that are said to be of a model are the public ones, by which clients ask.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

__all__ = ["Bulkhead", "Canary", "Hedge", "Mirror", "Sticky", "TrafficRule", "Variant"]

_PLACES_MAX: Final = 1_000_000

_Name = Annotated[str, Meta(min_length=1, description="a name")]
_ArmName = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="a name of letters, digits, dots and dashes"),
]
_Percent = Annotated[float, Meta(ge=0, le=100)]
_Places = Annotated[int, Meta(ge=1, le=_PLACES_MAX)]
_Amount = Annotated[float, Meta(ge=0)]
Sticky = Annotated[str, Meta(pattern="^(user|key|session|request)$", description="user, key, session or request")]
"""What stays in its arm: an end user, a key, a session; or nothing does, and every request is drawn for."""


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """The arm that a ``percent`` of the callers get, and all others none: one of ``model``, ``deployment``, ``tag``."""

    percent: _Percent
    name: _ArmName = "canary"
    model: _Name | None = None
    deployment: _Name | None = None
    tag: _Name | None = None


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One of several arms: another ``model``, one ``deployment`` of this model (its id), those with a ``tag``.

    Without any of these: what the other arms leave over of this model.
    """

    name: _ArmName
    weight: _Amount = 1.0
    model: _Name | None = None
    deployment: _Name | None = None
    tag: _Name | None = None


class Mirror(msgspec.Struct, frozen=True, kw_only=True):
    """A ``percent`` of the requests also goes to ``model``, whose answer nobody gets."""

    model: _Name
    percent: _Percent = 100.0
    max_in_flight: _Places = 8
    timeout_seconds: Annotated[float, Meta(gt=0)] = 600.0


class Hedge(msgspec.Struct, frozen=True, kw_only=True):
    """A second deployment is asked when the first is silent for long.

    ``after_ms`` None: for as long as nineteen of twenty answers took to begin. ``max_share`` bounds the second requests
    as a share of all. ``local``: also where the model runs on a machine of one's own.
    """

    after_ms: Annotated[float, Meta(gt=0)] | None = None
    max_share: Annotated[float, Meta(gt=0, le=1)] = 0.05
    local: bool = False


class TrafficRule(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to the requests for one model, besides being sent: ``pointsman.traffic[]``.

    ``salt`` None: the model's name.
    """

    model: _Name
    sticky: Sticky = "user"
    salt: str | None = None
    canary: Canary | None = None
    variants: tuple[Variant, ...] = ()
    mirror: Mirror | None = None
    hedge: Hedge | None = None
    coalesce_embeddings: bool = False


class Bulkhead(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the gateway one provider, or one model, may take at once: ``pointsman.bulkheads.<name>``."""

    max_in_flight: _Places
    max_waiting: Annotated[int, Meta(ge=0, le=_PLACES_MAX)] = 0
    max_wait_seconds: Annotated[float, Meta(gt=0)] = 5.0
