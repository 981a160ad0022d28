"""Plays the steps against a server, and writes down what it answered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from tests.pairs.steps import STEPS, Step
from tests.support.http_client import Answer, request
from tests.support.waiting import eventually
from tests.upstreams import openai_shapes as shapes
from tests.upstreams.openai_server import FakeOpenAI
from tests.upstreams.reply import Reply

__all__ = ["Told", "look_up", "play"]

_UNTIL_SECONDS: Final = 20.0
_TIMEOUT_SECONDS: Final = 60.0
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_COUNTED: Final = re.compile(r"\b(chatcmpl|cmpl)-\d+")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}|litellm_proxy_master_key|master")
_HEADERS: Final = re.compile(
    r"^(x-litellm-|x-ratelimit-|llm_provider-|content-type$|retry-after$|allow$|www-authenticate$)"
)


class Told(msgspec.Struct, frozen=True):
    """An answer, as comparable as it can be made: a body of JSON, of events (see :func:`_events`) or of metrics."""

    status: int
    headers: dict[str, str]
    body: Any


def play(port: int, upstream: FakeOpenAI, master_key: str) -> Iterator[tuple[Step, Told]]:
    """Each step with what the server at ``port`` answered; ``upstream`` is the one that it calls."""
    today = datetime.now(UTC).date()
    saved = {"master": master_key, "wrong": "sk-wrong-0123456789"}
    saved |= {"today": today.isoformat(), "tomorrow": (today + timedelta(days=1)).isoformat()}
    for step in STEPS:
        upstream.always(_scripted(step.upstream))
        told = _take(port, step, saved)
        upstream.always(None)
        saved |= {name: str(look_up(told.body, path)) for name, path in step.saves.items()}
        yield step, told


def look_up(body: Any, path: str) -> Any:
    """What is at ``a.b.0`` of a body; None where there is nothing."""
    for name in path.split("."):
        if isinstance(body, list):
            body = body[int(name)] if int(name) < len(body) else None
        else:
            body = body.get(name) if isinstance(body, dict) else None
    return body


def _take(port: int, step: Step, saved: Mapping[str, str]) -> Told:
    key = step.key if step.key in saved or not step.key else step.key.strip("{}")
    headers = {"Authorization": f"Bearer {saved.get(key, 'nothing-saved')}"} if step.key else {}
    path = _PLACEHOLDER.sub(lambda found: quote(saved.get(found[1], "nothing-saved")), step.path)
    body = step.raw if step.raw is not None else _filled(step.body, saved)
    taken: list[Told] = []

    def ask() -> bool:
        taken.append(_told(request(port, step.method, path, body, headers=headers, timeout=_TIMEOUT_SECONDS)))
        return not step.until or bool(look_up(taken[-1].body, step.until))

    with suppress(AssertionError):  # then that is its answer
        eventually(ask, f"{step.name}: {step.until}", _UNTIL_SECONDS)
    return taken[-1]


def _filled(body: Any, saved: Mapping[str, str]) -> Any:
    if isinstance(body, str):
        return _PLACEHOLDER.sub(lambda found: saved.get(found[1], found[0]), body)
    if isinstance(body, list):
        return [_filled(each, saved) for each in body]
    return {name: _filled(each, saved) for name, each in body.items()} if isinstance(body, dict) else body


def _scripted(what: str) -> Reply | None:
    if what == "tool":
        call = shapes.tool_call("weather", '{"city": "Rome"}')
        return Reply.json(
            shapes.chat_reply(
                "", shapes.usage(3, 5), model="gpt-4o-mini", tool_calls=[call], finish_reason="tool_calls"
            )
        )
    return Reply.error(int(what), "the upstream says no") if what else None


def _told(answer: Answer) -> Told:
    headers = {name: value for name, value in answer.headers.items() if _HEADERS.match(name)}
    kind = answer.headers.get("content-type", "")
    if kind.startswith("text/event-stream"):
        return Told(answer.status, headers, _steady(_events(answer.body)))
    if kind.startswith("application/json"):
        return Told(answer.status, headers, _steady(answer.json()))
    if b"# HELP" in answer.body:
        return Told(answer.status, headers, _series(answer.body.decode()))
    return Told(answer.status, headers, answer.body.decode("utf-8", "replace"))


def _steady(body: Any) -> Any:
    """Without what depends on how many requests there were, which the upstream counts, on hashes, and on the day."""
    if isinstance(body, str):
        return "today" if body in _short_days() else _COUNTED.sub(r"\1-0", body)
    if isinstance(body, list):
        return [_steady(each) for each in body]
    if not isinstance(body, dict):
        return body
    return {"~key" if _DIGEST.fullmatch(name) else name: _steady(each) for name, each in body.items()}


def _short_days() -> tuple[str, str]:
    """Today as charts have it, and yesterday, which it may have been when the first call was made."""
    now = datetime.now(UTC)
    return f"{now:%b %d}", f"{now - timedelta(days=1):%b %d}"


def _events(stream: bytes) -> dict[str, Any]:
    """The first and the last event, the kinds between, and how it ended: how many there are is nobody's business."""
    frames = [block for block in stream.decode().replace("\r\n", "\n").split("\n\n") if "data:" in block]
    data = [line[5:].strip() for frame in frames for line in frame.split("\n") if line.startswith("data:")]
    decoded = [msgspec.json.decode(each) for each in data if each != "[DONE]"]
    kinds = {line[6:].strip(): True for frame in frames for line in frame.split("\n") if line.startswith("event:")}
    shown = {str(each.get("type", each.get("object", ""))): each for each in decoded}
    return {
        "first": decoded[0],
        "last": decoded[-1],
        "kinds": kinds,
        "one of each": shown,
        "done": data[-1] == "[DONE]",
    }


def _series(text: str) -> dict[str, dict[str, bool]]:
    """The names of metrics, with their labels."""
    found: dict[str, dict[str, bool]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("litellm_"):
                found.setdefault(sample.name, {}).update(dict.fromkeys(sample.labels, True))
    return found
