"""What becomes of single parameters on the way to a deployment: ``additional_drop_params`` and the request's own rules.

Made once per lane, so that a lane without rules pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from pointsman.core.rules import ParameterRules
from pointsman.core.upstream import Ask, Deployment
from pointsman.wire.json_paths import JsonPath, is_nested, read_path, without_path

__all__ = ["Dropped", "ruled", "shown"]


class Dropped(msgspec.Struct, frozen=True):
    """Fields to leave out: top-level ones by name, others by their path."""

    names: tuple[str, ...] = ()
    paths: tuple[JsonPath, ...] = ()

    @classmethod
    def of(cls, given: Iterable[str]) -> Dropped:
        """The names and paths of ``additional_drop_params``."""
        listed = tuple(given)
        return cls(
            tuple(name for name in listed if not is_nested(name)),
            tuple(read_path(path) for path in listed if is_nested(path)),
        )

    def __bool__(self) -> bool:
        """Whether there is anything to leave out."""
        return bool(self.names or self.paths)

    def left_of(self, fields: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
        """The fields without those."""
        left = dict(fields)
        for name in self.names:
            left.pop(name, None)
        for path in self.paths:
            left = without_path(left, path)
        return left


def shown(ask: Ask, dropped: Dropped | None) -> Ask:
    """The request as a lane's client side reads it: without what operator and client want dropped.

    It is a copy where that is anything, for another deployment may drop other fields.
    """
    if dropped is None and ask.rules is None:
        return ask
    own = Dropped() if ask.rules is None else Dropped.of(ask.rules.additional_drop_params)
    if not dropped and not own:
        return ask
    return msgspec.structs.replace(ask, fields=own.left_of(dropped.left_of(ask.fields) if dropped else ask.fields))


def ruled(deployment: Deployment, rules: ParameterRules) -> Deployment:
    """The deployment as a request wants its parameters handled; see :class:`~pointsman.core.rules.ParameterRules`."""
    drop = deployment.drop_params if rules.drop_params is None else rules.drop_params
    return msgspec.structs.replace(
        deployment,
        drop_params=drop,
        additional_drop_params=(*deployment.additional_drop_params, *rules.additional_drop_params),
        allowed_openai_params=(*deployment.allowed_openai_params, *rules.allowed_openai_params),
    )
