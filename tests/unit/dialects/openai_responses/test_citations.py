from __future__ import annotations

import json
from typing import Any

from pointsman.core.content import Citation
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_responses.grammar import violations
from pointsman.dialects.openai_responses.replies import read_reply
from pointsman.dialects.openai_responses.stream_reader import StreamReader

PAGE = {"type": "url_citation", "start_index": 0, "end_index": 6, "url": "https://w.example/", "title": "Whales"}
FILE = {"type": "file_citation", "file_id": "file-1", "filename": "bees.pdf", "index": 4}
STRANGE = {"type": "citation_of_next_year", "x": 1}
FIRST, SECOND = "Whales sing.", "Bees hum."
EXPECTED = (
    Citation("https://w.example/", "Whales", start=0, end=6),
    Citation(None, "bees.pdf", start=len(FIRST) + 4, end=len(FIRST) + 4),
)


def item(number: int, text: str, annotations: list[dict[str, Any]]) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}
    return {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


ITEMS = [item(0, FIRST, [PAGE]), item(1, SECOND, [STRANGE, FILE])]
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": ITEMS}


def test_of_a_whole_answer_they_count_through_all_of_its_text() -> None:
    assert read_reply(json.dumps(RESPONSE).encode()).choices[0].citations == EXPECTED


def test_of_a_stream_each_is_told_once() -> None:
    events: list[dict[str, Any]] = [{"type": "response.created", "response": {**RESPONSE, "output": []}}]
    for index, one in enumerate(ITEMS):
        part = one["content"][0]
        events.append({"type": "response.output_text.delta", "output_index": index, "delta": part["text"]})
        for annotation in part["annotations"][: index + 1]:
            kind = "response.output_text.annotation.added"
            events.append({"type": kind, "output_index": index, "annotation": annotation})
        events.append({"type": "response.output_item.done", "output_index": index, "item": one})
    events.append({"type": "response.completed", "response": RESPONSE})
    reader = StreamReader()
    told = [event for one in events for event in reader.feed(json.dumps(one).encode())]
    assert fold([*told, *reader.end()]).choices[0].citations == EXPECTED


def stream(*events: dict[str, Any]) -> bytes:
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in numbered)


def test_the_grammar_wants_them_counted_and_kept() -> None:
    begun = {**RESPONSE, "status": "in_progress", "output": [], "error": None, "incomplete_details": None}
    at = {"item_id": "msg_0", "output_index": 0}
    place = {**at, "content_index": 0}
    part = {"type": "output_text", "text": FIRST, "annotations": [PAGE], "logprobs": []}
    added: dict[str, Any] = {"type": "response.output_text.annotation.added", **place, "annotation": PAGE}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}

    def told(annotations: list[Any], **changes: Any) -> list[str]:
        done = {**ITEMS[0], "content": [{**part, "annotations": annotations}]}
        return violations(
            stream(
                {"type": "response.created", "response": begun},
                {"type": "response.in_progress", "response": begun},
                {"type": "response.output_item.added", **at, "item": {**done, "status": "in_progress", "content": []}},
                {"type": "response.content_part.added", **place, "part": {**part, "text": "", "annotations": []}},
                {"type": "response.output_text.delta", **place, "delta": FIRST},
                {**added, "annotation_index": 0, **changes},
                {"type": "response.output_text.done", **place, "text": FIRST},
                {"type": "response.content_part.done", **place, "part": done["content"][0]},
                {"type": "response.output_item.done", **at, "item": done},
                {
                    "type": "response.completed",
                    "response": {
                        **begun,
                        "status": "completed",
                        "output": [done],
                        "usage": usage,
                    },
                },
            )
        )

    assert told([PAGE]) == []
    assert any("not what was told" in one for one in told([]))
    assert any("not counted" in one for one in told([PAGE], annotation_index=1))
