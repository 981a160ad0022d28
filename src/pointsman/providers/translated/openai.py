"""The sides of OpenAI's chat dialect."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from pointsman.core.call import Call, Reasoning
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.dialects.openai_chat.errors import read_error
from pointsman.dialects.openai_chat.knobs import refuse_or_drop
from pointsman.dialects.openai_chat.replies import read_reply, write_reply
from pointsman.dialects.openai_chat.requests import LimitField, read_request, write_request
from pointsman.dialects.openai_chat.streams import StreamReader, StreamWriter
from pointsman.providers.translated.sides import Reading, SseFrames, Writing
from pointsman.providers.translated.tools import demand_known_tools, without_foreign_tools

__all__ = ["OpenAIChatClient", "OpenAIChatFar"]

_REASONERS: Final = ("o1", "o3", "o4", "gpt-5")
"""OpenAI's models that know the bound on the answer under its newer name only."""


_OFFICIAL_HOST: Final = "api.openai.com"
_EFFORTS: Final = ((1024, "low"), (4096, "medium"))
"""Budgets of thinking tokens and the effort that they mean, as in LiteLLM; above them it is high."""


class OpenAIChatClient:
    """See :class:`pointsman.providers.translated.sides.ClientSide`."""

    def read(self, ask: Ask) -> Call:
        """See the protocol."""
        return read_request(ask.body(), ask.model)

    def writing(self, call: Call, ask: Ask) -> Writing:
        """See the protocol."""
        return Writing(StreamWriter(call), lambda reply: write_reply(reply, call))


class OpenAIChatFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`; for every server that speaks this dialect."""

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        call = without_foreign_tools(call, "openai_chat", drop_params=deployment.drop_params)
        demand_known_tools(call, "openai_chat")
        call = refuse_or_drop(
            call,
            drop_params=deployment.drop_params,
            additional=deployment.additional_drop_params,
            local=deployment.local,
        )
        newer = deployment.provider == "openai" and deployment.model.startswith(_REASONERS)
        limit_field: LimitField = "max_completion_tokens" if newer else "max_tokens"
        if call.reasoning is not None and urlsplit(deployment.api_base).hostname == _OFFICIAL_HOST:
            call = msgspec.structs.replace(call, reasoning=_as_effort(call.reasoning, reasons=newer))
        body = write_request(call, deployment.model, include_usage=True, limit_field=limit_field)
        return Outbound(b"/chat/completions", body)

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        return Reading(SseFrames(), StreamReader(), read_reply, read_error)


def _as_effort(reasoning: Reasoning, *, reasons: bool) -> Reasoning | None:
    """Reasoning in the one word that OpenAI itself has for it, which only models that reason know."""
    if reasoning.effort is not None:
        return Reasoning(reasoning.effort)
    if not reasons or reasoning.budget_tokens is None:
        return None
    bound = reasoning.budget_tokens
    return Reasoning(next((word for most, word in _EFFORTS if bound <= most), "high"))
