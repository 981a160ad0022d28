"""The upstream's side of Google's Gemini dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.call import Call, EmbeddingCall, Tool, WebSearch
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.upstream import Deployment, Outbound
from pointsman.dialects.droppable import demand_droppable, without
from pointsman.dialects.gemini.embeddings import write_embedding_request
from pointsman.dialects.gemini.errors import read_error
from pointsman.dialects.gemini.knobs import NATIVE, refuse_or_drop, refuse_or_drop_embedding
from pointsman.dialects.gemini.names import camel_name
from pointsman.dialects.gemini.replies import read_embeddings, read_reply
from pointsman.dialects.gemini.requests import write_request
from pointsman.dialects.gemini.streams import StreamReader
from pointsman.dialects.gemini.thinking import asks_for_thinking
from pointsman.dialects.gemini.types import GeminiTarget
from pointsman.providers.translated.embeddings import EmbeddingReading
from pointsman.providers.translated.gemini_outputs import wants_wave_file, with_images, with_outputs
from pointsman.providers.translated.native_tools import claimed
from pointsman.providers.translated.sides import Reading, SseFrames
from pointsman.providers.translated.tools import (
    demand_known_tools,
    with_own_code,
    with_own_search,
    without_foreign_tools,
)

__all__ = ["GeminiEmbeddingFar", "GeminiFar", "PathOf", "without_foreign_knobs"]

PathOf = Callable[[Deployment, str], bytes]
"""Path and query for a deployment and a verb (``generateContent``), below its ``api_base``."""

_MODELS: Final = "models/"
_SEARCH_NAME: Final = "googleSearch"
_SEARCH: Final = Tool(_SEARCH_NAME, native=msgspec.Raw(b'{"googleSearch":{}}'), dialect="gemini")
_CODE: Final = Tool("codeExecution", native=msgspec.Raw(b'{"codeExecution":{}}'), dialect="gemini", runs_code=True)


class GeminiFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`; for Gemini's own API and for Vertex AI.

    Gemini's signatures of tool calls travel in the ids of the calls, which every client gives back.

    Args:
        path_of: Where requests go.
        call_ids: Whether calls and results are sent with their ids, which Vertex AI does not take.
        clock: Tells when an answer was made, which Gemini does not.
    """

    def __init__(self, path_of: PathOf, *, call_ids: bool = True, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path_of = path_of
        self._call_ids = call_ids
        self._clock = clock

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        call = claimed(call, "gemini", drop_params=deployment.drop_params)
        call = with_images(call, deployment.model)
        call = _with_google_search(call, drop_params=deployment.drop_params)
        call = with_own_code(call, _CODE)
        call = without_foreign_tools(call, "gemini", drop_params=deployment.drop_params)
        demand_known_tools(call, "gemini")
        call = refuse_or_drop(
            with_outputs(_with_native_fields(_without_foreign_forms(call))),
            drop_params=deployment.drop_params,
            additional=deployment.additional_drop_params,
        )
        call = _without_vain_thinking(call, deployment)
        body = write_request(call, self._target(deployment))
        path = self._path_of(deployment, "streamGenerateContent" if call.stream else "generateContent")
        return Outbound(path + b"?alt=sse" if call.stream else path, body)

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        model = deployment.model
        single = call.parallel_tool_calls is False
        files = wants_wave_file(call)

        def reader() -> StreamReader:
            return StreamReader(
                model, pack_signatures=True, single_tool_call=single, wave_files=files, clock=self._clock
            )

        return Reading(
            SseFrames(),
            reader(),
            lambda body: read_reply(body, reader()),
            lambda status, body: read_error(status, body, model),
        )

    def _target(self, deployment: Deployment) -> GeminiTarget:
        return GeminiTarget(deployment.model.removeprefix(_MODELS), call_ids=self._call_ids)


class GeminiEmbeddingFar:
    """See :class:`.embeddings.EmbeddingFar`; for Gemini's own API."""

    def __init__(self, path_of: PathOf) -> None:
        self._path_of = path_of

    def write(self, call: EmbeddingCall, deployment: Deployment) -> Outbound:
        """See the protocol."""
        call = without_foreign_knobs(call, deployment)
        target = GeminiTarget(deployment.model.removeprefix(_MODELS))
        return Outbound(self._path_of(deployment, "batchEmbedContents"), write_embedding_request(call, target))

    def reading(self, call: EmbeddingCall, deployment: Deployment) -> EmbeddingReading:
        """See the protocol."""
        model, count = deployment.model, len(call.inputs)
        return EmbeddingReading(
            lambda body: read_embeddings(body, call.model, count), lambda status, body: read_error(status, body, model)
        )


def without_foreign_knobs(call: EmbeddingCall, deployment: Deployment) -> EmbeddingCall:
    """The call under Gemini's names, without what Gemini does not know, and without what only chats have.

    Raises:
        Unsupported: a knob that may not be dropped; the message names it.
    """
    named = {camel_name(name): raw for name, raw in call.extra.items()}
    call = msgspec.structs.replace(call, extra={name: raw for name, raw in named.items() if name not in NATIVE})
    return refuse_or_drop_embedding(
        call, drop_params=deployment.drop_params, additional=deployment.additional_drop_params
    )


def _with_native_fields(call: Call) -> Call:
    """The call with the fields that LiteLLM knows for Gemini under Gemini's own names, and its search as a tool."""
    extra = {camel_name(name): raw for name, raw in call.extra.items()}
    search = (_SEARCH,) if extra.pop("web_search_options", None) is not None else ()
    return msgspec.structs.replace(call, extra=extra, tools=(*call.tools, *search))


def _with_google_search(call: Call, *, drop_params: bool) -> Call:
    """The call with the searches of other dialects as Google's; where functions are offered as well, it is as it was.

    Most models take either functions or a search.

    Raises:
        Unsupported: it is bound to pages, which Google's cannot be, and may not be dropped.
    """
    if any(tool.native is None or tool.parameters is not None for tool in call.tools):
        return call
    found = with_own_search(call, "gemini", _SEARCH_NAME, lambda _search: _SEARCH.native or msgspec.Raw())
    if found is call:
        return call
    for tool in call.tools:
        search = tool.search or WebSearch()
        if search.allowed_domains or search.blocked_domains:
            demand_droppable("Gemini's search", ["allowed_domains or blocked_domains"], drop_params=drop_params)
    choice = found.tool_choice
    is_search = choice is not None and choice.name == _SEARCH_NAME
    return msgspec.structs.replace(found, tool_choice=None) if is_search else found


def _without_foreign_forms(call: Call) -> Call:
    """The call with the native tools of other dialects as the functions that they also are."""
    if not any(tool.native is not None and tool.dialect != "gemini" for tool in call.tools):
        return call
    tools = tuple(
        tool if tool.native is None or tool.dialect == "gemini" else msgspec.structs.replace(tool, native=None)
        for tool in call.tools
    )
    return msgspec.structs.replace(call, tools=tools)


def _without_vain_thinking(call: Call, deployment: Deployment) -> Call:
    """The call without a wish to think where the model is known not to.

    Raises:
        Unsupported: it was wanted, and may not be dropped.
    """
    known = deployment.capabilities
    if call.reasoning is None or not known or "reasoning" in known:
        return call
    if asks_for_thinking(call.reasoning):
        demand_droppable(deployment.model, ["reasoning_effort"], drop_params=deployment.drop_params)
    return without(call, ["reasoning_effort"])
