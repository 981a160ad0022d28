"""A stage with rules about the traffic of its models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pointsman.config.traffic_sections import Bulkhead, TrafficRule
from pointsman.core.exchange import Inbound, InferenceRoute, RequestHead
from pointsman.core.upstream import Operation
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.lifecycle.bulkheads import Bulkheads
from pointsman.lifecycle.traffic import Traffic
from pointsman.routing.settings import RoutingSettings
from tests.unit.lifecycle.house_script import MASTER, Stage, deployment

__all__ = ["EMBEDDINGS", "embedding", "embedding_body", "stage_with", "with_bulkheads"]

EMBEDDINGS = InferenceRoute(Operation.EMBEDDING, OpenAIDialect(), "/embeddings")


def stage_with(
    rule: TrafficRule, *deployments: Any, chances: Iterator[float] | None = None, num_retries: int = 0, **more: Any
) -> Stage:
    """A stage with one rule; ``chances`` are what is drawn, 0 if not given."""
    stage = Stage(*(deployments or [deployment()]), routing=RoutingSettings(num_retries=num_retries), **more)
    drawn = chances or iter(lambda: 0.0, None)
    stage.house.traffic = Traffic([rule], stage.house.router, stage.nursery, lambda: next(drawn))
    return stage


def with_bulkheads(stage: Stage, **limits: Bulkhead) -> Bulkheads:
    """Put bulkheads between the house and its upstreams."""
    bulkheads = Bulkheads(stage.sender)
    bulkheads.follow(limits)
    stage.house.sender = bulkheads
    stage.house.router.is_full = bulkheads.is_full
    return bulkheads


def embedding_body(text: str = "hello", model: str = "public") -> bytes:
    """A request for an embedding."""
    return json.dumps({"model": model, "input": text}).encode()


def embedding(stage: Stage, body: bytes, key: str = MASTER) -> Inbound:
    """The same as it comes in."""
    head = RequestHead(EMBEDDINGS, key.encode(), [], None, "10.0.0.9")
    return Inbound(head, body, stage.clock.monotonic(), stage.clock.wall())
