"""Who is measured: one file per gateway."""

from __future__ import annotations

from collections.abc import Callable

from harness.contenders.contract import Contender, Place
from harness.contenders.litellm import LiteLLM
from harness.contenders.nginx import Nginx
from harness.contenders.pointsman import Pointsman
from harness.contenders.portkey import Portkey

__all__ = ["Contender", "Place", "contender_named"]


def contender_named(name: str) -> Contender:
    """The gateway of that name; names are :data:`harness.options.CONTENDER_NAMES`."""
    kinds: dict[str, Callable[[], Contender]] = {
        "nginx": Nginx,
        "litellm": LiteLLM,
        "portkey": Portkey,
        "pointsman": Pointsman,
    }
    return kinds[name]()
