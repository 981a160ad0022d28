"""Scripted fake upstreams that speak HTTP over real sockets and can misbehave byte by byte.

Start with :mod:`tests.upstreams.openai_server` and :mod:`tests.upstreams.ollama_server`; what a test scripts is a
:class:`~tests.upstreams.reply.Reply`, and :mod:`tests.upstreams.faults` makes the broken ones.
"""

from __future__ import annotations

from tests.upstreams.bedrock_server import FakeBedrock
from tests.upstreams.blackhole import Blackhole
from tests.upstreams.gate import Gate
from tests.upstreams.ollama_models import OllamaModel
from tests.upstreams.ollama_server import FakeOllama
from tests.upstreams.ollama_turn import Turn
from tests.upstreams.openai_server import FakeOpenAI
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply

__all__ = [
    "Blackhole",
    "FakeBedrock",
    "FakeOllama",
    "FakeOpenAI",
    "Gate",
    "OllamaModel",
    "RecordedRequest",
    "Reply",
    "Turn",
]
