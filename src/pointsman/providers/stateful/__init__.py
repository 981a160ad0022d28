"""OpenAI's Responses API with a memory: what is stored of responses, before whatever provider.

Reading order: ``book`` (what is looked up before a request is written, and kept of its answer), ``lane`` (how that is
put around any lane), ``errands`` and ``following`` (responses that are worked on in the background).
"""

from __future__ import annotations

from pointsman.providers.stateful.book import ResponseBook
from pointsman.providers.stateful.errands import ResponseErrand, read_errand
from pointsman.providers.stateful.following import follow
from pointsman.providers.stateful.lane import KeptAnswer, StatefulLane

__all__ = ["KeptAnswer", "ResponseBook", "ResponseErrand", "StatefulLane", "follow", "read_errand"]
