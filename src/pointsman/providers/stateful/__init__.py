"""OpenAI's Responses API with a memory: what is stored of responses, before whatever provider.

Reading order: ``book`` (what is looked up before a request is written, and kept of its answer), ``lane`` (how that is
put around any lane), ``relay`` (the same around the relay to an upstream with a memory of its own), ``errands`` and
``following`` (responses that are worked on in the background).
"""

from __future__ import annotations

from pointsman.providers.stateful.book import ResponseBook
from pointsman.providers.stateful.errands import ResponseErrand, read_errand
from pointsman.providers.stateful.following import follow
from pointsman.providers.stateful.lane import StatefulLane
from pointsman.providers.stateful.relay import RememberedRelay

__all__ = ["RememberedRelay", "ResponseBook", "ResponseErrand", "StatefulLane", "follow", "read_errand"]
