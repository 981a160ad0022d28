"""Records anew which fields LiteLLM's management routes take: those of bodies and of queries, as its own document says.

python scripts/record_litellm_fields.py

It installs LiteLLM Proxy in an environment of its own, as ``record_litellm_pairs.py`` does, and asks it for its
description. Of that only names are kept, which are facts of its interface.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.pairs.real.litellm_proxy import VERSION, install

_RECORD: Final = Path(__file__).parent.parent / "tests" / "pairs" / f"litellm-{VERSION}-fields.json"
_ASK: Final = (
    "import json, sys; from litellm.proxy.proxy_server import app; json.dump(app.openapi(), open(sys.argv[1], 'w'))"
)
_PARAMETER: Final = re.compile(r"\{[^}]*\}")
_SECONDS: Final = 600


def main() -> int:
    """Record, and say of how many routes."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "openapi.json"
        subprocess.run([install() / "bin" / "python", "-c", _ASK, told], check=True, timeout=_SECONDS)
        document: dict[str, Any] = msgspec.json.decode(told.read_bytes())
    schemas = document["components"]["schemas"]
    record = {
        f"{method.upper()} {_PARAMETER.sub('{}', path)}": {
            "body": sorted(_body(operation, schemas)),
            "query": sorted(one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"),
        }
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    said = {route: fields for route, fields in sorted(record.items()) if fields["body"] or fields["query"]}
    _RECORD.write_bytes(msgspec.json.format(msgspec.json.encode(said), indent=1) + b"\n")
    print(f"{len(said)} routes in {_RECORD}")
    return 0


def _body(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> set[str]:
    contents = operation.get("requestBody", {}).get("content", {}).values()
    return {name for content in contents for name in _names(content.get("schema", {}), schemas)}


def _names(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    """The fields of a schema, of what it refers to, and of its alternatives."""
    if "$ref" in schema:
        yield from _names(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for word in ("allOf", "anyOf", "oneOf"):
        for each in schema.get(word, ()):
            yield from _names(each, schemas)
    yield from schema.get("properties", {})


if __name__ == "__main__":
    raise SystemExit(main())
