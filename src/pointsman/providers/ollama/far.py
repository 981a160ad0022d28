"""What Ollama is sent for a conversation, as far as no fact about the model and its window is needed."""

from __future__ import annotations

from pointsman.core.call import Call
from pointsman.core.upstream import Deployment, Outbound
from pointsman.dialects.ollama.errors import read_error
from pointsman.dialects.ollama.knobs import refuse_or_drop
from pointsman.dialects.ollama.replies import read_reply
from pointsman.dialects.ollama.requests import write_request
from pointsman.dialects.ollama.streams import StreamReader
from pointsman.dialects.ollama.types import OllamaTarget
from pointsman.providers.translated.native_tools import claimed
from pointsman.providers.translated.sides import Reading
from pointsman.providers.translated.tools import demand_known_tools, without_foreign_tools
from pointsman.wire.ndjson import LineSplitter

__all__ = ["OllamaFar", "fitted", "write_plainly"]


def fitted(call: Call, deployment: Deployment) -> Call:
    """The request without what Ollama does not know.

    Raises:
        Unsupported: the content, or a knob that may not be dropped; the message names it.
    """
    call = claimed(call, "ollama", drop_params=deployment.drop_params)
    call = without_foreign_tools(call, "ollama", drop_params=deployment.drop_params)
    demand_known_tools(call, "ollama")
    return refuse_or_drop(call, drop_params=deployment.drop_params, additional=deployment.additional_drop_params)


def write_plainly(call: Call, deployment: Deployment) -> Outbound:
    """The request for ``/api/chat``, its window left to Ollama.

    Raises:
        Malformed, Unsupported: it cannot be expressed; the message names what.
    """
    return Outbound(b"/api/chat", write_request(fitted(call, deployment), OllamaTarget(deployment.model)))


class OllamaFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`: the dialect without the facts about a model."""

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        return write_plainly(call, deployment)

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        reader = StreamReader(deployment.model, single_tool_call=call.parallel_tool_calls is False)
        return Reading(LineSplitter(), reader, lambda body: read_reply(body, reader), read_error)
