"""The far side of Bedrock's Converse dialect: the request for one model, signed where it has no API key."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.access import AwsAccess
from pointsman.core.call import Call
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import GatewayError
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Outbound
from pointsman.dialects.bedrock_converse.abilities import Abilities, abilities_of
from pointsman.dialects.bedrock_converse.errors import is_about_expired_keys, read_error
from pointsman.dialects.bedrock_converse.frames import ConverseFrames
from pointsman.dialects.bedrock_converse.knobs import refuse_or_drop
from pointsman.dialects.bedrock_converse.names import ToolNames
from pointsman.dialects.bedrock_converse.replies import read_reply
from pointsman.dialects.bedrock_converse.requests import write_request
from pointsman.dialects.bedrock_converse.streams import Expected, StreamReader
from pointsman.dialects.bedrock_converse.tools import shape_tool
from pointsman.providers.bedrock.fetching import no_keys
from pointsman.providers.bedrock.keys import KeySource
from pointsman.providers.bedrock.place import model_path, named_model, region_of
from pointsman.providers.translated import Reading
from pointsman.providers.translated.tools import demand_known_tools
from pointsman.providers.transport import Origin
from pointsman.wire.aws_signature import SigningScope, UnsignedRequest, signature_headers

__all__ = ["BedrockFar"]

_SERVICE: Final = "bedrock"
_POST: Final = "POST"
_JSON: Final = "application/json"
_decode_text: Final = msgspec.json.Decoder(str).decode


class BedrockFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`. For one deployment, whose keys ``source`` has.

    ``source`` None: the deployment has an API key, which the transport sends.
    """

    def __init__(self, deployment: Deployment, source: KeySource | None, clock: Clock = SYSTEM_CLOCK) -> None:
        access = deployment.access if isinstance(deployment.access, AwsAccess) else AwsAccess()
        self._source = source
        self._clock = clock
        self._origin = Origin.parse(deployment.api_base)
        self._scope = SigningScope(region_of(deployment.model, access), _SERVICE)
        self._abilities = _abilities(deployment)
        self._own = {name.lower(): value.reveal() for name, value in deployment.headers.items()}
        self._operators = frozenset(deployment.pinned)

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        demand_known_tools(call, "bedrock_converse")
        call = refuse_or_drop(
            call,
            self._abilities,
            drop_params=deployment.drop_params,
            additional=deployment.additional_drop_params,
            operators=self._operators,
        )
        body = write_request(call, self._abilities, max_tokens_default=deployment.output_tokens_max)
        path = model_path(deployment, stream=call.stream)
        return Outbound(path, body, headers=self._signed(path, body))

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
        return Reading(ConverseFrames(), reader, lambda body: read_reply(body, expected), self._read_error)

    def _read_error(self, status: int, body: bytes) -> GatewayError:
        if self._source is not None and is_about_expired_keys(status, body):
            self._source.forget()
        return read_error(status, body)

    def _signed(self, path: bytes, body: bytes) -> tuple[tuple[str, Secret], ...]:
        if self._source is None:
            return ()
        keys = self._source.recall()
        if keys is None:
            raise no_keys("The AWS credentials of this deployment have just expired.")
        origin = self._origin
        headers = (
            ("Host", self._own.get("host", origin.authority)),
            ("Content-Type", self._own.get("content-type", _JSON)),
        )
        request = UnsignedRequest(_POST, origin.path + path.decode("ascii"), headers, origin.query, body)
        return signature_headers(request, keys, self._scope, self._clock.wall())


def _abilities(deployment: Deployment) -> Abilities:
    """What the model can do; ``model_info.base_model`` tells which it is where its own name does not."""
    base = deployment.told.get("base_model")
    model = named_model(deployment.model) if base is None else _decode_text(base)
    return abilities_of(model, deployment.capabilities)
