"""Names of models that stand in a path. Where a wildcard serves them, they are the caller's to choose.

Dots are not escaped by anybody (RFC 3986, section 2.3), and ``..`` means the segment before it (section 5.2.4).
"""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import Malformed

__all__ = ["demand_no_steps"]

_STEPS: Final = frozenset({".", ".."})


def demand_no_steps(model: str) -> None:
    """Raise unless every segment of a name is one, and none leads elsewhere.

    Raises:
        Malformed: one is ``.`` or ``..``.
    """
    if "." in model and not _STEPS.isdisjoint(model.replace("\\", "/").split("/")):
        raise Malformed("model must not have a segment . or ..", param="model", code="bad_model")
