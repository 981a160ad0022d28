"""Is the answer right? Compares a gateway's reply with the upstream's own, by meaning and by byte."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from pathlib import Path

from harness.bodies import CHAT

__all__ = ["Meaning", "ReplyCheck", "check_direct", "check_reply", "fetch", "meaning_of"]

# A gateway that stamps the current second into its events gives a different stream after this long.
_NEXT_SECOND_S = 1.1
_REASONS = {"end_turn": "stop", "max_tokens": "length"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a client would make of a reply: its text, why it ended, the tokens it was billed, whether [DONE] came."""

    text: str
    finish_reason: str | None
    prompt_tokens: int
    completion_tokens: int
    done: bool


@dataclass(frozen=True, slots=True)
class ReplyCheck:
    """How later replies are to be checked.

    Attributes:
        expect: file with the reply that all later ones must equal; None when replies differ from each other.
        identical: whether the gateway's reply equals the upstream's byte for byte.
        events: events in the reply, 0 for one that is not a stream.
        fault: what is wrong with the reply; empty when it means the same as the upstream's.
    """

    expect: Path | None
    identical: bool
    events: int
    fault: str


def fetch(port: int, body: bytes, headers: tuple[str, ...], path: str = CHAT) -> bytes:
    """Posts a request and returns the decoded reply body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        pairs = dict(line.split(": ", 1) for line in headers)
        connection.request("POST", path, body, {"Content-Type": "application/json", **pairs})
        return connection.getresponse().read()
    finally:
        connection.close()


def meaning_of(reply: bytes) -> Meaning:
    """Folds a reply, streamed or not; raises ValueError when it is neither JSON nor a stream of events."""
    if reply.startswith(b"event:"):
        return _meaning_of_messages(reply)
    if not reply.startswith(b"data:"):
        document = json.loads(reply)
        if document.get("type") == "message":
            usage = document["usage"]
            text = "".join(block["text"] for block in document["content"])
            reason = _REASONS[document["stop_reason"]]
            return Meaning(text, reason, usage["input_tokens"], usage["output_tokens"], done=True)
        choice, usage = document["choices"][0], document["usage"]
        return Meaning(
            choice["message"]["content"],
            choice["finish_reason"],
            usage["prompt_tokens"],
            usage["completion_tokens"],
            done=True,
        )
    lines = [line[5:].strip() for line in reply.decode().splitlines() if line.startswith("data:")]
    chunks = [json.loads(line) for line in lines if line != "[DONE]"]
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    usage = next(
        (chunk["usage"] for chunk in reversed(chunks) if chunk.get("usage")),
        {"prompt_tokens": -1, "completion_tokens": -1},
    )
    return Meaning(
        "".join(choice["delta"].get("content") or "" for choice in choices),
        next((choice["finish_reason"] for choice in reversed(choices) if choice.get("finish_reason")), None),
        usage["prompt_tokens"],
        usage["completion_tokens"],
        lines[-1] == "[DONE]",
    )


def _meaning_of_messages(reply: bytes) -> Meaning:
    """Folds a stream of Anthropic's dialect into the words of OpenAI's."""
    events = [json.loads(line[5:]) for line in reply.decode().splitlines() if line.startswith("data:")]
    by_kind = {event["type"]: event for event in events}
    start, end = by_kind["message_start"]["message"]["usage"], by_kind["message_delta"]
    return Meaning(
        "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta"),
        _REASONS[end["delta"]["stop_reason"]],
        end["usage"].get("input_tokens", start["input_tokens"]),
        end["usage"]["output_tokens"],
        events[-1]["type"] == "message_stop",
    )


def check_direct(upstream_port: int, body: Path, keep: Path) -> ReplyCheck:
    """The check for the upstream without a gateway: it has to say the same each time."""
    reply = fetch(upstream_port, body.read_bytes(), ())
    keep.write_bytes(reply)
    return ReplyCheck(keep, identical=True, events=_count_events(reply), fault="")


def check_reply(
    ports: tuple[int, int], body: Path, reference: tuple[str, Path, str], headers: tuple[str, ...], keep: Path
) -> ReplyCheck:
    """Asks the upstream once and the gateway twice, a second apart; a stable reply is kept as the expected one.

    Args:
        ports: of the gateway and of the upstream.
        body: what the gateway is asked.
        reference: where, what and where again: the gateway's path, the upstream's body and the upstream's path.
        headers: for the gateway.
        keep: where the reply is kept.
    """
    path, asked, upstream_path = reference
    direct = fetch(ports[1], asked.read_bytes(), (), upstream_path)
    first = fetch(ports[0], body.read_bytes(), headers, path)
    time.sleep(_NEXT_SECOND_S)
    second = fetch(ports[0], body.read_bytes(), headers, path)
    try:
        wanted, given = meaning_of(direct), meaning_of(second)
        fault = "" if wanted == given else f"the reply means {given}, the upstream said {wanted}"
    except (ValueError, KeyError, IndexError, TypeError) as failure:
        fault = f"unreadable reply ({failure!r}): {second[:300]!r}"
    if first == second:
        keep.write_bytes(second)
    return ReplyCheck(keep if first == second else None, second == direct, _count_events(second), fault)


def _count_events(reply: bytes) -> int:
    return sum(line.startswith(b"data:") for line in reply.splitlines())
