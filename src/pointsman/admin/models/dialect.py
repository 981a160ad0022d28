"""Lists of models in the form of the client that asks: paths are shared, headers and queries tell who it is.

Google's and Anthropic's SDKs ask for ``/v1/models`` as OpenAI's do. A client of Anthropic always says
``anthropic-version``, one of Google ``x-goog-api-client`` or, by hand, ``x-goog-api-key``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pointsman.admin.models.description import described, smallest
from pointsman.admin.models.visible import demand_visible_group, visible_groups
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Malformed
from pointsman.dialects.anthropic_messages import models as anthropic
from pointsman.dialects.gemini import models as gemini
from pointsman.policies.principal import Principal
from pointsman.routing.table import Group

__all__ = [
    "GeminiModelsQuery",
    "asks_as_anthropic",
    "asks_as_gemini",
    "list_as_anthropic",
    "list_as_gemini",
    "list_gemini_models",
    "show_as_anthropic",
    "show_as_gemini",
    "show_gemini_model",
]

_PAGE_MAX: Final = 1000
_GEMINI_HEADERS: Final = ("x-goog-api-client", "x-goog-api-key")


class GeminiModelsQuery(msgspec.Struct, frozen=True):
    """Source: https://ai.google.dev/api/models#method:-models.list. Left out, a page has all that fit one."""

    pageSize: int | None = None  # noqa: N815 - the wire's name
    pageToken: str | None = None  # noqa: N815 - the wire's name


def asks_as_anthropic(headers: Mapping[str, str]) -> bool:
    """Whether a client of Anthropic asks."""
    return "anthropic-version" in headers


def asks_as_gemini(headers: Mapping[str, str]) -> bool:
    """Whether a client of Google asks."""
    return any(name in headers for name in _GEMINI_HEADERS)


async def list_gemini_models(office: Office, visit: Visit[GeminiModelsQuery, Nothing]) -> Answer:
    """Every model that the key may use, in Gemini's form."""
    return list_as_gemini(office, visit.caller, visit.query)


async def show_gemini_model(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """One model, in Gemini's form."""
    return show_as_gemini(office, visit.caller, visit.path["model_id"])


def list_as_gemini(office: Office, caller: Principal, query: GeminiModelsQuery) -> Answer:
    """A page of the models that the caller may use."""
    found = [_gemini(office, name, group) for name, group in visible_groups(office.table(), caller)]
    start = _offset(query.pageToken)
    size = min(query.pageSize or _PAGE_MAX, _PAGE_MAX)
    if size < 0:
        raise Malformed("pageSize must not be negative.", param="pageSize")
    end = start + size
    return Answer(gemini.write_models(found[start:end], str(end) if end < len(found) else None))


def show_as_gemini(office: Office, caller: Principal, name: str) -> Answer:
    """One model."""
    name = name.removeprefix("models/")
    return Answer(gemini.write_model(_gemini(office, name, demand_visible_group(office.table(), caller, name))))


def list_as_anthropic(office: Office, caller: Principal) -> Answer:
    """The models that the caller may use, on one page."""
    found: Sequence[anthropic.ListedModel] = [
        _anthropic(office, name, group) for name, group in visible_groups(office.table(), caller)
    ]
    return Answer(anthropic.write_models(found))


def show_as_anthropic(office: Office, caller: Principal, name: str) -> Answer:
    """One model."""
    return Answer(anthropic.write_model(_anthropic(office, name, demand_visible_group(office.table(), caller, name))))


def _gemini(office: Office, name: str, group: Group) -> gemini.ListedModel:
    known = [described(deployment, office.facts) for deployment in group.deployments]
    return gemini.ListedModel(
        name,
        embeds=known[0].mode == "embedding",
        thinks="reasoning" in known[0].capabilities,
        input_tokens_max=smallest(one.context_tokens for one in known),
        output_tokens_max=smallest(one.output_tokens for one in known),
    )


def _anthropic(office: Office, name: str, group: Group) -> anthropic.ListedModel:
    known = [described(deployment, office.facts) for deployment in group.deployments]
    return anthropic.ListedModel(
        name, smallest(one.context_tokens for one in known), smallest(one.output_tokens for one in known)
    )


def _offset(token: str | None) -> int:
    """Where a page begins.

    Raises:
        Malformed: the token is none of ours.
    """
    if not token:
        return 0
    if not (token.isascii() and token.isdigit() and len(token) < 10):
        raise Malformed("pageToken is not one that this server gave.", param="pageToken")
    return int(token)
