"""The far side of Bedrock's Converse dialect, for one deployment."""

from __future__ import annotations

import msgspec

from pointsman.core.call import Call
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.upstream import Deployment, Outbound
from pointsman.dialects.bedrock_converse.abilities import abilities_of
from pointsman.dialects.bedrock_converse.frames import ConverseFrames
from pointsman.dialects.bedrock_converse.knobs import refuse_or_drop
from pointsman.dialects.bedrock_converse.names import ToolNames
from pointsman.dialects.bedrock_converse.replies import read_reply
from pointsman.dialects.bedrock_converse.requests import write_request
from pointsman.dialects.bedrock_converse.streams import Expected, StreamReader
from pointsman.dialects.bedrock_converse.tools import shape_tool
from pointsman.providers.bedrock.place import base_model, model_path, named_model
from pointsman.providers.bedrock.signer import BedrockSigner
from pointsman.providers.translated import Reading
from pointsman.providers.translated.native_tools import claimed
from pointsman.providers.translated.tools import demand_known_tools, without_foreign_tools

__all__ = ["BedrockFar"]


class BedrockFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`. The signer must have been prepared before."""

    def __init__(self, deployment: Deployment, signer: BedrockSigner, clock: Clock = SYSTEM_CLOCK) -> None:
        self._signer = signer
        self._clock = clock
        self._abilities = abilities_of(base_model(deployment), deployment.capabilities)
        self._operators = frozenset(deployment.pinned)

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        call = claimed(call, "bedrock_converse", drop_params=deployment.drop_params)
        call = without_foreign_tools(call, "bedrock_converse", drop_params=deployment.drop_params)
        demand_known_tools(call, "bedrock_converse")
        call = refuse_or_drop(
            call,
            self._abilities,
            drop_params=deployment.drop_params,
            additional=deployment.additional_drop_params,
            operators=self._operators,
        )
        body = write_request(call, self._abilities, output_tokens_max=deployment.output_tokens_max)
        path = model_path(deployment, stream=call.stream)
        return self.sign(Outbound(path, body))

    def sign(self, outbound: Outbound) -> Outbound:
        """See :class:`pointsman.providers.translated.sides.SigningSide`."""
        return msgspec.structs.replace(outbound, headers=self._signer.headers(outbound.path, outbound.body))

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        names = ToolNames.of(call)
        expected = Expected(
            model=named_model(deployment.model),
            created=int(self._clock.wall()),
            names=names,
            shape_tool=shape_tool(call, self._abilities, names),
            single_tool_call=call.parallel_tool_calls is False,
        )
        reader = StreamReader(expected)
        return Reading(ConverseFrames(), reader, lambda body: read_reply(body, expected), self._signer.read_error)
