"""What Vertex AI is sent for Claude where the request is translated."""

from __future__ import annotations

import json

import msgspec

from pointsman.core.access import GoogleAccess
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.providers.google.far_sides import VertexClaudeFar
from pointsman.providers.google.places import VertexPlace
from pointsman.providers.tokens import FixedCredential
from pointsman.providers.translated import CLIENTS, read_call

CLAUDE = Deployment(
    "d", "m", "vertex_ai", "claude-sonnet-4-5", "vertex_ai/claude-sonnet-4-5", "https://v.invalid", None
)
COMPUTER = {"type": "computer_20250124", "name": "computer", "display_width_px": 800, "display_height_px": 600}


def test_a_tool_of_anthropics_goes_there_with_the_header_that_belongs_to_it() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "?"}], "tools": [COMPUTER]}
    ask = Ask(Operation.CHAT, "m", msgspec.json.decode(json.dumps(body), type=dict[str, msgspec.Raw]))
    place = VertexPlace(CLAUDE, GoogleAccess(project="p", location="eu-1"), FixedCredential(Secret("token")))
    outbound = VertexClaudeFar(place, SYSTEM_CLOCK).write(read_call(CLIENTS[Operation.CHAT], ask), CLAUDE)
    assert json.loads(outbound.body)["tools"] == [COMPUTER]
    assert [(name, value.reveal()) for name, value in outbound.headers] == [
        ("anthropic-beta", "computer-use-2025-01-24")
    ]
