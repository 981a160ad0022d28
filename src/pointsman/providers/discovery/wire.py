"""What servers that speak OpenAI's API tell of themselves: the answers, and how they are read.

Sources: llama.cpp's ``tools/server/README.md`` (``/v1/models`` with ``meta`` and, of its router, ``status``;
``/props``; ``/slots``; which of these wake a model that sleeps); LM Studio's REST API (``/api/v0/models``; since 0.4
``/api/v1/models``); vLLM's and SGLang's model cards (``owned_by``, ``max_model_len``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from pointsman.providers.discovery.found import HostKind
from pointsman.providers.transport import FetchReply

__all__ = [
    "MODELS_MAX",
    "Card",
    "Cards",
    "Generation",
    "Instance",
    "InstanceConfig",
    "Meta",
    "Props",
    "RankLoad",
    "RankLoads",
    "SleepState",
    "Slot",
    "Status",
    "StudioModel",
    "StudioModelNow",
    "StudioModels",
    "StudioModelsNow",
    "kind_of",
    "read_answer",
]

MODELS_MAX: Final = 2048
"""More models of one server are not looked at."""

_OWNERS: Final[dict[str, HostKind]] = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama_cpp",
    "organization_owner": "lm_studio",
    "library": "ollama",
}

Shape = TypeVar("Shape")


class Status(msgspec.Struct, frozen=True):
    """How far llama.cpp's router is with a model."""

    value: str = "loaded"


class Meta(msgspec.Struct, frozen=True):
    """Of a model of llama.cpp; ``size`` is in bytes."""

    n_ctx: int | None = None
    n_ctx_train: int | None = None
    size: int | None = None


class Card(msgspec.Struct, frozen=True):
    """A model in ``/v1/models``; ``parent`` is the model that an adapter (vLLM's, SGLang's) is for."""

    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    parent: str | None = None
    meta: Meta | None = None
    status: Status | None = None


class Cards(msgspec.Struct, frozen=True):
    """``/v1/models``."""

    data: list[Card]


class StudioModel(msgspec.Struct, frozen=True):
    """A model in LM Studio's ``/api/v0/models``; by ``type`` it is known from what others may answer there."""

    id: str
    type: str
    state: str = ""
    quantization: str | None = None
    max_context_length: int | None = None
    loaded_context_length: int | None = None
    capabilities: list[str] = []


class StudioModels(msgspec.Struct, frozen=True):
    """LM Studio's ``/api/v0/models``."""

    data: list[StudioModel]


class InstanceConfig(msgspec.Struct, frozen=True):
    """How a model was loaded; tokens."""

    context_length: int | None = None


class Instance(msgspec.Struct, frozen=True):
    """A model in LM Studio's memory."""

    id: str = ""
    config: InstanceConfig = InstanceConfig()


class StudioModelNow(msgspec.Struct, frozen=True):
    """A model in LM Studio's ``/api/v1/models``."""

    key: str
    size_bytes: int | None = None
    loaded_instances: list[Instance] = []


class StudioModelsNow(msgspec.Struct, frozen=True):
    """LM Studio's ``/api/v1/models``."""

    models: list[StudioModelNow]


class Generation(msgspec.Struct, frozen=True):
    """Of llama.cpp's ``/props``; ``n_ctx`` is what one slot has."""

    n_ctx: int


class Props(msgspec.Struct, frozen=True):
    """llama.cpp's ``/props``. ``is_sleeping`` None: it never sleeps, as it is too old for that."""

    total_slots: int
    default_generation_settings: Generation | None = None
    modalities: dict[str, bool] = {}
    build_info: str | None = None
    is_sleeping: bool | None = None
    endpoint_metrics: bool = False


class SleepState(msgspec.Struct, frozen=True):
    """vLLM's ``/is_sleeping``, which it has in development mode only."""

    is_sleeping: bool


class RankLoad(msgspec.Struct, frozen=True):
    """What one rank of SGLang has to do, in the words of ``/v1/loads``, and of ``/get_load`` before it.

    In the latter ``num_reqs`` are all of its requests.
    """

    num_running_reqs: int | None = None
    num_reqs: int = 0
    num_waiting_reqs: int = 0

    @property
    def running(self) -> int:
        """Those that do not wait."""
        return self.num_reqs - self.num_waiting_reqs if self.num_running_reqs is None else self.num_running_reqs


class RankLoads(msgspec.Struct, frozen=True):
    """SGLang's ``/v1/loads``."""

    loads: list[RankLoad]


class Slot(msgspec.Struct, frozen=True):
    """One of llama.cpp's ``/slots``."""

    is_processing: bool = False


def kind_of(cards: Iterable[Card]) -> HostKind | None:
    """Which server it is, as the owner of its models tells; None: that of no server that is known."""
    owners = {card.owned_by for card in cards}
    return next((kind for owner, kind in _OWNERS.items() if owner in owners), None)


def read_answer(reply: FetchReply, shape: type[Shape]) -> Shape | None:
    """What was answered; None: no such thing."""
    if reply.status != 200:
        return None
    try:
        return msgspec.json.decode(reply.body, type=shape)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
