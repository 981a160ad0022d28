"""How Bedrock is asked for the tokens of a conversation.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html. It knows models only, no
inference profiles, and counts for Anthropic's.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.errors import GatewayError, Unsupported
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.providers.bedrock.far import BedrockFar
from pointsman.providers.bedrock.lane import BedrockServices, bedrock_signer
from pointsman.providers.bedrock.place import base_model, count_path
from pointsman.providers.native import CountWay, call_to_count
from pointsman.providers.translated.remote_media import has_remote_media

__all__ = ["BedrockCount", "bedrock_count"]

_CLAUDE: Final = re.compile(r"anthropic\.claude.*")
_COUNTED: Final = ("messages", "system", "toolConfig", "additionalModelRequestFields")


class _Counted(msgspec.Struct):
    tokens: int = msgspec.field(name="inputTokens")


_decode: Final = msgspec.json.Decoder(_Counted).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def bedrock_count(deployment: Deployment, services: BedrockServices) -> CountWay | None:
    """The way to ask a model on Bedrock; only Anthropic's have one."""
    found = _CLAUDE.search(base_model(deployment))
    return None if found is None else BedrockCount(deployment, found[0], services)


class BedrockCount:
    """See :class:`pointsman.providers.native.CountWay`. ``model`` is the model's own id."""

    relays: frozenset[Operation] = frozenset()

    def __init__(self, deployment: Deployment, model: str, services: BedrockServices) -> None:
        self._deployment = deployment
        self._model = model
        self._signer = bedrock_signer(deployment, services)
        self._far = BedrockFar(deployment, self._signer, services.clock)

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        await self._signer.prepare()

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        call = call_to_count(ask)
        if has_remote_media(call):
            raise Unsupported("Remote images and documents are not fetched to count them.")
        fields = _decode_fields(self._far.write(call, self._deployment).body)
        counted = {name: fields[name] for name in _COUNTED if name in fields}
        return self._far.sign(Outbound(count_path(self._model), _encode({"input": {"converse": counted}})))

    def read(self, body: bytes) -> int:
        """See the protocol."""
        return _decode(body).tokens

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """See the protocol."""
        return self._signer.read_error(status, body)
