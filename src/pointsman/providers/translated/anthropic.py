"""The sides of Anthropic's Messages dialect."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from pointsman.core.call import Call, Tool
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.dialects.anthropic_messages.abilities import Abilities, abilities_of
from pointsman.dialects.anthropic_messages.errors import read_error
from pointsman.dialects.anthropic_messages.knobs import refuse_or_drop
from pointsman.dialects.anthropic_messages.replies import read_reply, write_reply
from pointsman.dialects.anthropic_messages.requests import read_request, write_request
from pointsman.dialects.anthropic_messages.search import SEARCH_NAME, write_search
from pointsman.dialects.anthropic_messages.server_tools import CODE_NAME
from pointsman.dialects.anthropic_messages.streams import StreamReader, StreamWriter
from pointsman.dialects.droppable import without
from pointsman.dialects.openai_chat.search import SEARCH_FIELD, read_search
from pointsman.providers.translated.native_tools import beta_header, claimed
from pointsman.providers.translated.sides import Reading, SseFrames, Writing
from pointsman.providers.translated.tools import (
    demand_known_tools,
    with_own_code,
    with_own_search,
    without_foreign_tools,
)

__all__ = ["AnthropicClient", "AnthropicFar"]

_MODELS_MAX: Final = 1024
_DIALECT: Final = "anthropic_messages"
_CODE: Final = Tool(
    CODE_NAME,
    native=msgspec.Raw(b'{"type":"code_execution_20250522","name":"code_execution"}'),
    dialect=_DIALECT,
    runs_code=True,
)


class AnthropicClient:
    """See :class:`pointsman.providers.translated.sides.ClientSide`."""

    def read(self, ask: Ask) -> Call:
        """See the protocol."""
        return read_request(ask.body(), ask.model, ask.fields)

    def writing(self, call: Call, ask: Ask) -> Writing:
        """See the protocol."""
        return Writing(StreamWriter(call, ask.prompt_estimate), lambda reply: write_reply(reply, call))


class AnthropicFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`. Anthropic does not say when an answer was made."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        asked = call
        call = claimed(call, _DIALECT, drop_params=deployment.drop_params)
        call = with_own_search(_with_search(call), _DIALECT, SEARCH_NAME, write_search)
        call = with_own_code(call, _CODE)
        headers = beta_header(asked, call)
        call = without_foreign_tools(call, _DIALECT, drop_params=deployment.drop_params)
        demand_known_tools(call, _DIALECT)
        abilities = _abilities(deployment)
        call = refuse_or_drop(
            call, drop_params=deployment.drop_params, additional=deployment.additional_drop_params, abilities=abilities
        )
        most = deployment.output_tokens_max
        body = write_request(call, deployment.model, output_tokens_max=most, abilities=abilities)
        return Outbound(b"/v1/messages", body, headers=headers)

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        reader = StreamReader(created=int(self._clock.wall()))
        return Reading(SseFrames(), reader, lambda body: read_reply(body, reader), read_error)


def _with_search(call: Call) -> Call:
    """The call with the search that OpenAI's chat has a field for as a tool."""
    asked = call.extra.get(SEARCH_FIELD)
    if asked is None:
        return call
    search = Tool(SEARCH_NAME, native=msgspec.Raw(b"{}"), dialect="openai_chat", search=read_search(asked))
    return msgspec.structs.replace(without(call, [SEARCH_FIELD]), tools=(*call.tools, search))


def _abilities(deployment: Deployment) -> Abilities:
    return _known_abilities(deployment.model, "response_schema" in deployment.capabilities)


@lru_cache(_MODELS_MAX)
def _known_abilities(model: str, json_schema: bool) -> Abilities:  # noqa: FBT001 - a cache knows no names
    return abilities_of(model, json_schema=json_schema)
