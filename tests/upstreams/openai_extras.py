"""Images, audio, moderations and rerank of the fake OpenAI-compatible server."""

from __future__ import annotations

import base64
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, Final

import msgspec

from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply, Send, chunk, head

__all__ = ["AUDIO", "EXTRAS", "PIXEL", "extras_reply", "form_of"]

EXTRAS: Final = (
    "/images/generations", "/images/edits", "/images/variations", "/audio/speech", "/audio/transcriptions",
    "/audio/translations", "/moderations", "/rerank",
)  # fmt: skip
PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
AUDIO: Final = bytes(range(256)) * 40
IMAGE_USAGE: Final = {
    "total_tokens": 100, "input_tokens": 50, "output_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}  # fmt: skip
SPOKEN_USAGE: Final = {
    "type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
}  # fmt: skip


def form_of(request: RecordedRequest) -> list[tuple[str, str | None, str | None, bytes]]:
    """Name, filename, content type and content of each part, as another reader (the standard library's) sees them."""
    content_type = request.header("content-type") or ""
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + request.body)
    parts: list[Any] = []
    for part in message.iter_parts():
        given = part.get("content-type") and part.get_content_type()
        name = part.get_param("name", header="content-disposition")
        parts.append((name, part.get_filename(), given, part.get_payload(decode=True)))
    return parts


def extras_reply(request: RecordedRequest) -> Reply:
    """What a healthy server answers."""
    path = request.path
    if path.endswith(("/transcriptions", "/translations", "/edits", "/variations")) and _is_form(request):
        fields: dict[str, Any] = {}
        for name, filename, _, content in form_of(request):
            fields[name] = content if filename else content.decode()
        streams = fields.get("stream") == "true"
    else:
        fields = request.json()
        streams = bool(fields.get("stream"))
    if not fields.get("model"):
        return Reply.error(400, "model is required")
    if "/images/" in path:
        return _pictures(fields, edited="edits" in path, streams=streams)
    if path.endswith("/speech"):
        return _speech(fields)
    if "/audio/" in path:
        return _transcript(fields, streams=streams)
    if path.endswith("/moderations"):
        result = {"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.9}}
        return Reply.json({"id": "modr-1", "model": fields["model"], "results": [result]})
    return _ranking(fields)


def _is_form(request: RecordedRequest) -> bool:
    return (request.header("content-type") or "").startswith("multipart/form-data")


def _pictures(fields: dict[str, Any], *, edited: bool, streams: bool) -> Reply:
    kind = "image_edit" if edited else "image_generation"
    if streams:
        partial = {"type": f"{kind}.partial_image", "partial_image_index": 0, "b64_json": PIXEL}
        whole = {"type": f"{kind}.completed", "b64_json": PIXEL, "usage": IMAGE_USAGE}
        return _events(partial, whole)
    count = int(fields.get("n") or 1)
    by_url = fields.get("response_format") == "url"
    picture = {"url": "https://pictures.example/1.png"} if by_url else {"b64_json": PIXEL}
    return Reply.json({"created": 1, "data": [picture] * count, "usage": IMAGE_USAGE})


def _speech(fields: dict[str, Any]) -> Reply:
    if fields.get("stream_format") == "sse":
        delta = {"type": "speech.audio.delta", "audio": base64.b64encode(AUDIO).decode()}
        return _events(delta, {"type": "speech.audio.done", "usage": SPOKEN_USAGE})
    fields_of_head = {"Content-Type": "audio/mpeg", "Transfer-Encoding": "chunked"}
    pieces = [AUDIO[start : start + 1000] for start in range(0, len(AUDIO), 1000)]
    return Reply(
        (Send(head(200, fields_of_head)), *(Send(chunk(piece)) for piece in pieces), Send(b"0\r\n\r\n")), "audio"
    )


def _transcript(fields: dict[str, Any], *, streams: bool) -> Reply:
    if streams:
        return _events(
            {"type": "transcript.text.delta", "delta": "Hello"},
            {"type": "transcript.text.done", "text": "Hello there.", "usage": SPOKEN_USAGE},
        )
    form = fields.get("response_format") or "json"
    if form == "json":
        return Reply.json({"text": "Hello there.", "usage": SPOKEN_USAGE})
    if form == "verbose_json":
        return Reply.json({"text": "Hello there.", "task": "transcribe", "language": "english", "duration": 2.5})
    texts = {
        "text": b"Hello there.\n",
        "srt": b"1\n00:00:00,000 --> 00:00:02,500\nHello there.\n\n",
        "vtt": b"WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nHello there.\n\n",
    }
    kind = "text/vtt; charset=utf-8" if form == "vtt" else "text/plain; charset=utf-8"
    data = texts[form]
    return Reply((Send(head(200, {"Content-Type": kind, "Content-Length": str(len(data))}) + data),), form)


def _ranking(fields: dict[str, Any]) -> Reply:
    order = sorted(range(len(fields["documents"])), key=lambda index: -len(str(fields["documents"][index])))
    if "top_k" in fields:
        rows = [{"index": index, "relevance_score": 0.5} for index in order[: fields["top_k"]]]
        return Reply.json({"object": "list", "data": rows, "model": fields["model"], "usage": {"total_tokens": 26}})
    results = [{"index": index, "relevance_score": 0.5} for index in order[: fields.get("top_n")]]
    return Reply.json({"id": "r-1", "results": results, "meta": {"billed_units": {"search_units": 1}}})


def _events(*events: dict[str, Any]) -> Reply:
    """Events with their names, and no [DONE] behind them, as OpenAI sends these."""
    steps = [
        Send(chunk(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))))
        for event in events
    ]
    fields = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
    return Reply((Send(head(200, fields)), *steps, Send(b"0\r\n\r\n")), "events")
