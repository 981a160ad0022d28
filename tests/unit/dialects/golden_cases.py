"""The golden files: a client's request, what Ollama is sent, what it answers, and what the client gets.

Run as a program it writes the expected files anew; look at the difference before keeping it.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from pointsman.core.call import Call
from pointsman.core.errors import GatewayError
from pointsman.core.events import Event
from pointsman.dialects.folding import fold
from pointsman.dialects.ollama.errors import read_error
from pointsman.dialects.ollama.knobs import refuse_or_drop
from pointsman.dialects.ollama.requests import write_request
from pointsman.dialects.ollama.streams import StreamReader
from pointsman.dialects.ollama.types import OllamaTarget
from pointsman.dialects.openai_chat.errors import write_error
from pointsman.dialects.openai_chat.replies import write_reply
from pointsman.dialects.openai_chat.requests import read_request
from pointsman.dialects.openai_chat.streams import StreamWriter
from pointsman.wire.ndjson import LineSplitter

FOLDER = Path(__file__).parent / "golden"
TARGET = OllamaTarget("llama3.2:latest", num_ctx=8192)

CASES = tuple(sorted(path.name for path in FOLDER.iterdir() if path.is_dir()))


def counted_ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers):024x}"


def request_of(case: str) -> Call:
    return refuse_or_drop(read_request((FOLDER / case / "client.json").read_bytes()))


def reader_of(call: Call) -> StreamReader:
    return StreamReader(TARGET.model, single_tool_call=call.parallel_tool_calls is False, new_id=counted_ids())


def ollama_request(case: str) -> bytes:
    return pretty(write_request(request_of(case), TARGET))


def events_of(case: str, pieces: list[bytes] | None = None) -> list[Event]:
    """The events of a case's stream, in whatever pieces its bytes come."""
    reader, lines = reader_of(request_of(case)), LineSplitter()
    events: list[Event] = []
    for piece in pieces or [(FOLDER / case / "ollama.ndjson").read_bytes()]:
        for line in lines.feed(piece):
            events += reader.feed(line)
    for line in lines.end():
        events += reader.feed(line)
    return [*events, *reader.end()]


def client_stream(case: str, pieces: list[bytes] | None = None) -> bytes:
    writer = StreamWriter(request_of(case))
    return writer.write(events_of(case, pieces)) + writer.end()


def client_reply(case: str) -> bytes:
    """The answer to an unstreamed request, made of the same events."""
    try:
        return pretty(write_reply(fold(events_of(case)), request_of(case)))
    except GatewayError as error:
        return pretty(write_error(error))


def client_error(case: str) -> bytes:
    answer = msgspec.json.decode((FOLDER / case / "ollama_error.json").read_bytes())
    error = read_error(answer["status"], answer["body"].encode(), TARGET.model)
    return pretty(msgspec.json.encode({"status": error.status, "body": msgspec.Raw(write_error(error))}))


def pretty(body: bytes) -> bytes:
    return msgspec.json.format(body, indent=2) + b"\n"


OUTPUTS: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "ollama_request.json": ("client.json", ollama_request),
    "client.sse": ("ollama.ndjson", client_stream),
    "client_reply.json": ("ollama.ndjson", client_reply),
    "client_error.json": ("ollama_error.json", client_error),
}
"""Expected file → the file it needs, and what makes it."""


def expected_files(case: str) -> list[str]:
    return [name for name, (needed, _) in OUTPUTS.items() if (FOLDER / case / needed).exists()]


def main() -> None:
    for case in CASES:
        for name in expected_files(case):
            (FOLDER / case / name).write_bytes(OUTPUTS[name][1](case))
            sys.stdout.write(f"{case}/{name}\n")


if __name__ == "__main__":
    main()
