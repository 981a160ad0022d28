"""Which arm of an experiment a caller is in: by weight, and always the same one.

Each arm draws a number for a caller from a hash, in proportion to its weight, and the best number wins (weighted
rendezvous hashing). So raising the weight of an arm moves callers into it and none between others, lowering it moves
some of its own out and nobody else, and no list of callers is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import log
from typing import Final

import msgspec

__all__ = ["Arm", "arm_of"]

_RANGE: Final = 2.0**64


class Arm(msgspec.Struct, frozen=True):
    """Another ``model``, the ``deployment`` with an id, those with a ``tag``, or, without any, what is left over."""

    name: str
    weight: float
    model: str | None = None
    deployment: str | None = None
    tag: str | None = None

    @property
    def is_rest(self) -> bool:
        """Whether it consists of what no other arm names."""
        return self.model is None and self.deployment is None and self.tag is None


def arm_of(arms: Sequence[Arm], salt: str, subject: str) -> Arm:
    """The arm of ``subject``. At least one of ``arms`` has a weight above 0."""
    seed = f"{len(salt)}:{salt}{subject}".encode("utf-8", "surrogatepass")
    best, least = arms[0], float("inf")
    for arm in arms:
        if arm.weight > 0:
            digest = blake2b(seed, digest_size=8, key=arm.name.encode()[:64]).digest()
            # From (0, 1], so that there is a logarithm.
            drawn = (int.from_bytes(digest) + 1) / _RANGE
            score = -log(drawn) / arm.weight
            if score < least:
                best, least = arm, score
    return best
