"""The far side of OpenAI's Responses dialect, for models that are asked there and nowhere else."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, Tool
from pointsman.core.upstream import Deployment, Outbound
from pointsman.dialects.droppable import wants_images, without
from pointsman.dialects.openai_chat.search import SEARCH_FIELD, read_search
from pointsman.dialects.openai_responses.errors import read_error
from pointsman.dialects.openai_responses.knobs import refuse_or_drop
from pointsman.dialects.openai_responses.replies import read_reply
from pointsman.dialects.openai_responses.requests import write_request
from pointsman.dialects.openai_responses.search import SEARCH_NAME, write_search
from pointsman.dialects.openai_responses.streams import StreamReader
from pointsman.dialects.openai_responses.tools import CODE_NAME
from pointsman.providers.openai_metadata import with_text_metadata
from pointsman.providers.translated.native_tools import IMAGE_TOOL, claimed, makes_images
from pointsman.providers.translated.openai import has_newer_limit
from pointsman.providers.translated.plain_openai import with_short_ids
from pointsman.providers.translated.sides import Reading, SseFrames
from pointsman.providers.translated.tools import (
    demand_known_tools,
    with_own_code,
    with_own_search,
    without_foreign_tools,
)

__all__ = ["RESPONSES_MODE", "OpenAIResponsesFar"]

RESPONSES_MODE: Final = "responses"
"""The ``mode`` of a model that knows no other route, as in LiteLLM's map of models."""

_DIALECT: Final = "openai_responses"
_CODE: Final = Tool(
    CODE_NAME,
    native=msgspec.Raw(b'{"type":"code_interpreter","container":{"type":"auto"}}'),
    dialect=_DIALECT,
    runs_code=True,
)


class OpenAIResponsesFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`; for every server that has this route.

    Nothing is stored there: the whole conversation is sent each time, with what the model thought in the form in which
    only OpenAI can read it, which the client has kept as a signature.

    Args:
        path: Where it takes requests, below the deployment's ``api_base``.
        model: What the body calls the model, where that is not the deployment's.
    """

    def __init__(self, *, path: bytes = b"/responses", model: str | None = None) -> None:
        self._path = path
        self._model = model

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        call = _with_images(claimed(call, _DIALECT, drop_params=deployment.drop_params))
        call = with_own_search(_with_search(call), _DIALECT, SEARCH_NAME, write_search)
        call = with_own_code(call, _CODE)
        call = without_foreign_tools(call, _DIALECT, drop_params=deployment.drop_params)
        demand_known_tools(call, _DIALECT)
        call = refuse_or_drop(
            with_text_metadata(call), drop_params=deployment.drop_params, additional=deployment.additional_drop_params
        )
        reasons = has_newer_limit(deployment) or "reasoning" in deployment.capabilities
        body = write_request(with_short_ids(call), self._model or deployment.model, reasons=reasons)
        return Outbound(self._path, body)

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        return Reading(SseFrames(), StreamReader(), read_reply, read_error)


def _with_images(call: Call) -> Call:
    """The call with the images that a chat wants beside text as a tool."""
    asked = call.extra.get("modalities")
    if asked is None or not wants_images(asked):
        return call
    has_one = any(makes_images(tool) for tool in call.tools)
    tools = call.tools if has_one else (*call.tools, IMAGE_TOOL)
    return msgspec.structs.replace(without(call, ["modalities"]), tools=tools)


def _with_search(call: Call) -> Call:
    """The call with the search that OpenAI's chat has a field for as a tool."""
    asked = call.extra.get(SEARCH_FIELD)
    if asked is None:
        return call
    search = Tool(SEARCH_NAME, native=msgspec.Raw(b"{}"), dialect="openai_chat", search=read_search(asked))
    return msgspec.structs.replace(without(call, [SEARCH_FIELD]), tools=(*call.tools, search))
