"""``/api/tags`` and ``/api/version``: what clients of Ollama ask before they chat."""

from __future__ import annotations

from typing import Final

from pointsman.admin.models.description import described
from pointsman.admin.models.visible import visible_groups
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.dialects.ollama.client_models import ListedModel, write_tags, write_version
from pointsman.routing.table import Group

__all__ = ["list_tags", "tell_version"]

_VERSION: Final = "0.12.0"
"""The version of Ollama whose API is kept; clients look at it to see what they may ask."""

_WORDS: Final = {"function_calling": "tools", "vision": "vision", "reasoning": "thinking"}
"""Our words for what a model can do, and Ollama's."""


async def list_tags(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Every model that the key may use, in Ollama's form."""
    return Answer(
        write_tags(_listed(office, name, group) for name, group in visible_groups(office.table(), visit.caller))
    )


async def tell_version(_office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """The version of Ollama whose API is kept."""
    return Answer(write_version(_VERSION))


def _listed(office: Office, name: str, group: Group) -> ListedModel:
    known = described(group.deployments[0], office.facts)
    first = "embedding" if known.mode == "embedding" else "completion"
    more = tuple(word for ability, word in _WORDS.items() if ability in known.capabilities)
    return ListedModel(name, capabilities=(first, *more), context_tokens=known.context_tokens)
