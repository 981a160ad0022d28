"""Which deployment of a group serves a request: LiteLLM's ``simple-shuffle``, random in proportion to weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pointsman.core.upstream import Deployment

__all__ = ["weighted_shuffle"]


def weighted_shuffle(deployments: Sequence[Deployment], draw: Callable[[], float]) -> Deployment:
    """One of ``deployments`` (at least one); ``draw`` gives a number in [0, 1)."""
    if len(deployments) == 1:
        return deployments[0]
    total = sum(deployment.weight for deployment in deployments)
    mark = draw() * total
    for deployment in deployments:
        mark -= deployment.weight
        if mark < 0:
            return deployment
    return deployments[-1]
