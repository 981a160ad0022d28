"""Who may catch everything, and why. A new entry is a decision to be seen in review."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from tests.house.code_base import Source, dotted_name, enclosing, parsed, sources

BROAD = frozenset({"Exception", "BaseException"})

ALLOWED: Mapping[str, str] = {
    "core/eager.py: Story.step": "the last line before the parser's callback: nothing may escape into it",
    "core/eager.py: _carry_on": "whatever the awaited thing raised belongs to the coroutine, not to its driver",
    "lifecycle/relay.py: _sink.relay": "it runs in the parser's callback; what breaks there wakes the story",
    "lifecycle/mirror.py: Shadows._serve": "the outermost failure handler, as in serve.py",
    "lifecycle/pass_through.py: pass_through": "the outermost failure handler, as in serve.py",
    "lifecycle/realtime.py: _converse": "the outermost failure handler, as in serve.py",
    "providers/long_tail/flight.py: LibraryFlight._run": "a library with a hundred providers raises what it likes",
    "providers/long_tail/flight.py: _outcome": "raised again where the outcome is awaited, and only there told of",
    "stores/postgres/lanes.py: _Line._serve": "whatever a job raises is raised again where its answer is awaited",
    "lifecycle/serve.py: serve": "the outermost failure handler: our own mistakes become a logged 500, once",
}


def broad_handlers(source: Source) -> list[str]:
    """Where everything is caught, as ``place: function``."""
    handlers = [node for node in ast.walk(source.tree) if isinstance(node, ast.ExceptHandler) and is_broad(node.type)]
    return [f"{source.place}: {enclosing(source, handler.lineno)}" for handler in handlers]


def is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    several = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(dotted_name(one).rpartition(".")[2] in BROAD for one in several)


def test_only_those_listed_catch_everything() -> None:
    assert {found for source in sources() for found in broad_handlers(source)} == set(ALLOWED)


def test_each_way_of_catching_everything_is_noticed() -> None:
    for caught in ("", " Exception", " BaseException as e", " (ValueError, Exception)"):
        text = f"def f():\n    try:\n        pass\n    except{caught}:\n        pass\n"
        assert broad_handlers(parsed(text)) == ["sample.py: f"]
    assert broad_handlers(parsed("try:\n    pass\nexcept ValueError:\n    pass\n")) == []
