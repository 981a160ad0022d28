"""Records anew what LiteLLM answers to the play in tests/pairs/steps.py.

python scripts/record_litellm_pairs.py

It installs LiteLLM Proxy in an environment of its own and starts it with a real PostgreSQL and a scripted upstream.
It plays twice, each time with a fresh database, and masks what is another value the second time. Only facts of its
interface are kept.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.pairs.likeness import masked
from tests.pairs.playing import play
from tests.pairs.real.litellm_proxy import VERSION, LiteLLMProxy, install, tables_of_litellm
from tests.pairs.steps import CONFIG
from tests.support.servers import PostgresServer
from tests.upstreams.openai_server import FakeOpenAI

_RECORD: Final = Path(__file__).parent.parent / "tests" / "pairs" / f"litellm-{VERSION}.json"
_MASTER_KEY: Final = "sk-master-0123456789abcdef"
_SALT_KEY: Final = "sk-salt-0123456789abcdef"


def main() -> int:
    """Record, and say how many answers there are."""
    home = install()
    with PostgresServer() as server:
        once, again = _played(home, server), _played(home, server)
    record = {name: masked(each, again[name]) for name, each in once.items()}
    _RECORD.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    print(f"{len(record)} answers in {_RECORD}")
    return 0


def _played(home: Path, server: PostgresServer) -> dict[str, Any]:
    database = tables_of_litellm(server, home)
    url = server.url(database, user="postgres", password="")
    with (
        FakeOpenAI(["gpt-4o-mini"]) as upstream,
        LiteLLMProxy(
            home,
            CONFIG,
            database_url=url,
            master_key=_MASTER_KEY,
            env={"UPSTREAM": upstream.base_url, "LITELLM_SALT_KEY": _SALT_KEY},
        ) as proxy,
    ):
        return {step.name: msgspec.to_builtins(told) for step, told in play(proxy.port, upstream, _MASTER_KEY)}


if __name__ == "__main__":
    raise SystemExit(main())
