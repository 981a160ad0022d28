"""What an answer rests on is told in every dialect, whichever the model's own is; streamed or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from anthropic.types import Message as AnthropicMessage
from google.genai.types import GenerateContentResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from pointsman.core.access import AwsAccess
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.dialects.anthropic_messages.grammar import violations as anthropic_violations
from pointsman.dialects.gemini.grammar import violations as gemini_violations
from pointsman.dialects.openai_chat.grammar import violations as chat_violations
from pointsman.dialects.openai_responses.dialect import ResponsesDialect
from pointsman.dialects.openai_responses.grammar import violations as responses_violations
from pointsman.providers.bedrock.far import BedrockFar
from pointsman.providers.bedrock.signer import BedrockSigner
from pointsman.providers.translated import (
    CLIENTS,
    AnthropicFar,
    CohereFar,
    FarSide,
    GeminiFar,
    OpenAIChatFar,
    TranslatedAnswer,
    read_call,
)
from tests.upstreams.bedrock_server import event_message

Json = dict[str, Any]
Found = list[tuple[str | None, str | None, str]]
"""URL, title, and the words that rest on it."""

TEXT = "É. Whales sing. Bees hum."
WHALES, BEES = ("https://w.example/", "Whales", "Whales sing."), ("https://b.example/", "Bees", "Bees hum.")
SOURCES = (WHALES, BEES)
EXPECTED: Found = [*SOURCES]
DEPLOYMENT = Deployment(
    "d", "m", "openai", "up", "openai/up", "http://up.invalid", None, access=AwsAccess(region="us-east-1"),
    api_key=Secret("k"),
)  # fmt: skip


def span(words: str) -> tuple[int, int]:
    return TEXT.index(words), TEXT.index(words) + len(words)


def byte_span(words: str) -> tuple[int, int]:
    encoded, part = TEXT.encode(), words.encode()
    return encoded.index(part), encoded.index(part) + len(part)


def sse(*events: Json) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)


# -- what upstreams answer --------------------------------------------------------------------------------------------


def openai_answers() -> tuple[bytes, bytes]:
    annotations = [
        {
            "type": "url_citation",
            "url_citation": {"url": url, "title": title, "start_index": span(words)[0], "end_index": span(words)[1]},
        }
        for url, title, words in SOURCES
    ]
    head = {"id": "c", "created": 1, "model": "up"}
    message = {"role": "assistant", "content": TEXT, "annotations": annotations}
    whole = {**head, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    deltas: list[Json] = [{"content": TEXT[:9]}, {"content": TEXT[9:]}, {"annotations": annotations}]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return json.dumps(whole).encode(), sse(*chunks) + b"data: [DONE]\n\n"


def anthropic_answers() -> tuple[bytes, bytes]:
    blocks: list[Json] = []
    for text in ("É. ", WHALES, " ", BEES):
        if isinstance(text, str):
            blocks.append({"type": "text", "text": text})
            continue
        citation = {
            "type": "web_search_result_location", "url": text[0], "title": text[1], "cited_text": "quoted",
            "encrypted_index": "opaque",
        }  # fmt: skip
        blocks.append({"type": "text", "text": text[2], "citations": [citation]})
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "usage": {"input_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": {**head, "content": []}}]
    for index, block in enumerate(blocks):
        at = {"index": index}
        events.append({"type": "content_block_start", **at, "content_block": {"type": "text", "text": ""}})
        events.append({"type": "content_block_delta", **at, "delta": {"type": "text_delta", "text": block["text"]}})
        for citation in block.get("citations", []):
            delta = {"type": "citations_delta", "citation": citation}
            events.append({"type": "content_block_delta", **at, "delta": delta})
        events.append({"type": "content_block_stop", **at})
    events += [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}]
    return json.dumps({**head, "content": blocks, "stop_reason": "end_turn"}).encode(), sse(*events)


def gemini_answers() -> tuple[bytes, bytes]:
    supports = [
        {
            "segment": {"startIndex": byte_span(words)[0], "endIndex": byte_span(words)[1], "text": words},
            "groundingChunkIndices": [number],
            "confidenceScores": [0.9],
        }
        for number, (_, _, words) in enumerate(SOURCES)
    ]
    grounding = {
        "webSearchQueries": ["q"],
        "groundingChunks": [{"web": {"uri": url, "title": title}} for url, title, _ in SOURCES],
        "groundingSupports": supports,
    }

    def answer(text: str, **more: Any) -> Json:
        return {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}]}

    end = {"finishReason": "STOP", "groundingMetadata": grounding}
    return json.dumps(answer(TEXT, **end)).encode(), sse(answer(TEXT[:9]), answer(TEXT[9:], **end))


def bedrock_answers() -> tuple[bytes, bytes]:
    content: list[Json] = []
    frames = event_message("messageStart", {"role": "assistant"})
    for index, piece in enumerate(("É. ", WHALES, " ", BEES)):
        at = {"contentBlockIndex": index}
        text = piece if isinstance(piece, str) else piece[2]
        frames += event_message("contentBlockDelta", {**at, "delta": {"text": text}})
        if isinstance(piece, str):
            content.append({"text": text})
        else:
            citation = {
                "title": piece[1], "sourceContent": [{"text": "quoted"}], "location": {"web": {"url": piece[0]}},
            }  # fmt: skip
            content.append({"citationsContent": {"content": [{"text": text}], "citations": [citation]}})
            frames += event_message("contentBlockDelta", {**at, "delta": {"citation": citation}})
        frames += event_message("contentBlockStop", at)
    frames += event_message("messageStop", {"stopReason": "end_turn"})
    counts = {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}
    frames += event_message("metadata", counts)
    whole = {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "end_turn", **counts}
    return json.dumps(whole).encode(), frames


def cohere_answers() -> tuple[bytes, bytes]:
    citations = [
        {
            "start": span(words)[0],
            "end": span(words)[1],
            "text": words,
            "sources": [{"type": "document", "id": "doc:0", "document": {"title": title, "url": url}}],
            "type": "TEXT_CONTENT",
        }
        for url, title, words in SOURCES
    ]
    message = {"role": "assistant", "content": [{"type": "text", "text": TEXT}], "citations": citations}
    events: list[Json] = [
        {"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": TEXT}}}},
        *({"type": "citation-start", "index": 0, "delta": {"message": {"citations": one}}} for one in citations),
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}},
    ]
    return json.dumps({"id": "c", "finish_reason": "COMPLETE", "message": message}).encode(), sse(*events)


FARS: dict[str, tuple[FarSide, Callable[[], tuple[bytes, bytes]]]] = {
    "openai": (OpenAIChatFar(), openai_answers),
    "anthropic": (AnthropicFar(), anthropic_answers),
    "gemini": (GeminiFar(lambda _deployment, verb: verb.encode()), gemini_answers),
    "bedrock": (BedrockFar(DEPLOYMENT, BedrockSigner(DEPLOYMENT, None)), bedrock_answers),
    "cohere": (CohereFar(), cohere_answers),
}
OWN = {"anthropic", "bedrock"}
"""Those whose citations come with the block that rests on them, so that a stream can tell where that is."""

# -- what clients see -------------------------------------------------------------------------------------------------

BODIES: dict[Operation, Json] = {
    Operation.CHAT: {"model": "m", "messages": [{"role": "user", "content": "?"}]},
    Operation.MESSAGES: {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]},
    Operation.RESPONSES: {"model": "m", "input": "?", "store": False},
    Operation.GEMINI_CHAT: {"contents": [{"parts": [{"text": "?"}]}]},
}


def answered(far: FarSide, operation: Operation, body: Json) -> TranslatedAnswer:
    client = CLIENTS[operation]
    raw = json.dumps(body).encode()
    if operation is Operation.RESPONSES:
        ask = ResponsesDialect().read_ask(raw, operation, None)
    else:
        ask = Ask(operation, "m", msgspec.json.decode(raw, type=dict[str, msgspec.Raw]))
    call = read_call(client, ask)
    return TranslatedAnswer(far.reading(call, DEPLOYMENT), client.writing(call, ask), 1)


def payloads(stream: bytes) -> list[Json]:
    lines = [line.removeprefix(b"data: ") for line in stream.splitlines() if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def in_chat(message: Json) -> Found:
    found = [one["url_citation"] for one in message["annotations"]]
    return [(one["url"], one["title"], message["content"][one["start_index"] : one["end_index"]]) for one in found]


def in_message(content: list[Json]) -> Found:
    return [(one["url"], one["title"], block["text"]) for block in content for one in block.get("citations") or []]


def in_response(response: Json) -> Found:
    return [
        (one["url"], one["title"], part["text"][one["start_index"] : one["end_index"]])
        for item in response["output"]
        for part in item.get("content", ())
        for one in part["annotations"]
    ]


def in_candidate(candidate: Json, text: str) -> Found:
    grounding = candidate["groundingMetadata"]
    found: Found = []
    for support in grounding["groundingSupports"]:
        segment = support["segment"]
        words = text.encode()[segment.get("startIndex", 0) : segment["endIndex"]].decode()
        assert words == segment["text"]
        for index in support["groundingChunkIndices"]:
            web = grounding["groundingChunks"][index]["web"]
            found.append((web["uri"], web["title"], words))
    return found


@pytest.mark.parametrize("name", FARS)
def test_whole_answers(name: str) -> None:
    far, answers = FARS[name]
    body, _ = answers()
    chat = answered(far, Operation.CHAT, BODIES[Operation.CHAT]).whole(body)
    ChatCompletion.model_validate_json(chat)
    assert in_chat(json.loads(chat)["choices"][0]["message"]) == EXPECTED
    message = answered(far, Operation.MESSAGES, BODIES[Operation.MESSAGES]).whole(body)
    AnthropicMessage.model_validate_json(message)
    content = json.loads(message)["content"]
    assert (in_message(content), "".join(block.get("text", "") for block in content)) == (EXPECTED, TEXT)
    response = answered(far, Operation.RESPONSES, BODIES[Operation.RESPONSES]).whole(body)
    Response.model_validate_json(response)
    assert in_response(json.loads(response)) == EXPECTED
    gemini = answered(far, Operation.GEMINI_CHAT, BODIES[Operation.GEMINI_CHAT]).whole(body)
    GenerateContentResponse.model_validate_json(gemini)
    assert in_candidate(json.loads(gemini)["candidates"][0], TEXT) == EXPECTED


@pytest.mark.parametrize("name", FARS)
def test_streams(name: str) -> None:
    far, answers = FARS[name]
    _, stream = answers()

    def told(operation: Operation, **more: Any) -> bytes:
        answer = answered(far, operation, {**BODIES[operation], **more})
        return answer.feed(stream) + answer.end()

    chat = told(Operation.CHAT, stream=True)
    assert chat_violations(chat) == []
    deltas = [choice["delta"] for chunk in payloads(chat) for choice in chunk["choices"]]
    annotations = [one for delta in deltas for one in delta.get("annotations", [])]
    content = "".join(delta.get("content") or "" for delta in deltas)
    assert in_chat({"content": content, "annotations": annotations}) == EXPECTED
    events = told(Operation.MESSAGES, stream=True)
    assert anthropic_violations(events) == []
    blocks: dict[int, Json] = {}
    for event in payloads(events):
        if event["type"] == "content_block_delta":
            block = blocks.setdefault(event["index"], {"text": "", "citations": []})
            block["text"] += event["delta"].get("text", "")
            block["citations"] += [event["delta"]["citation"]] if "citation" in event["delta"] else []
    found = in_message(list(blocks.values()))
    assert [one[:2] for one in found] == [one[:2] for one in EXPECTED]
    if name in OWN:
        assert [one[2] for one in found] == ["É. Whales sing.", " Bees hum."]
    events = told(Operation.RESPONSES, stream=True)
    assert responses_violations(events) == []
    last = payloads(events)[-1]["response"]
    assert in_response(last) == EXPECTED
    added = [one for one in payloads(events) if one["type"] == "response.output_text.annotation.added"]
    assert [one["annotation"] for one in added] == last["output"][0]["content"][0]["annotations"]
    assert [one["annotation_index"] for one in added] == [0, 1]
    pieces = told(Operation.GEMINI_CHAT)
    assert gemini_violations(pieces) == []
    assert in_candidate(payloads(pieces)[-1]["candidates"][0], TEXT) == EXPECTED


DOCUMENT = {
    "type": "page_location", "cited_text": "They sing.", "document_index": 1, "document_title": "Whales",
    "start_page_number": 2, "end_page_number": 4,
}  # fmt: skip


def test_a_document_is_told_where_a_dialect_has_a_place_for_it() -> None:
    block = {"type": "text", "text": "Whales sing.", "citations": [DOCUMENT]}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "usage": {"input_tokens": 1}}
    body = json.dumps({**head, "content": [block], "stop_reason": "end_turn"}).encode()
    told = {
        operation: json.loads(answered(AnthropicFar(), operation, BODIES[operation]).whole(body))
        for operation in BODIES
    }
    assert told[Operation.MESSAGES]["content"][0]["citations"] == [{**DOCUMENT, "file_id": None}]
    (annotation,) = told[Operation.RESPONSES]["output"][0]["content"][0]["annotations"]
    assert annotation == {"type": "file_citation", "file_id": "", "filename": "Whales", "index": 12}
    grounding = told[Operation.GEMINI_CHAT]["candidates"][0]["groundingMetadata"]
    assert grounding["groundingChunks"] == [{"retrievedContext": {"title": "Whales", "text": "They sing."}}]
    assert "annotations" not in told[Operation.CHAT]["choices"][0]["message"]


def test_the_lists_of_perplexity_are_found_again_by_their_numbers_in_the_text() -> None:
    message = {"role": "assistant", "content": "Whales sing.[2] Bees hum.[1][2]"}
    body = json.dumps({
        "id": "c", "created": 1, "model": "sonar",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "citations": ["https://b.example/", "https://w.example/", "https://z.example/"],
        "search_results": [{"title": "Bees", "url": "https://b.example/", "date": None}],
    }).encode()  # fmt: skip
    response = json.loads(answered(OpenAIChatFar(), Operation.RESPONSES, BODIES[Operation.RESPONSES]).whole(body))
    assert in_response(response) == [
        ("https://b.example/", "Bees", "[1]"),
        ("https://w.example/", "", "[2]"),
        ("https://w.example/", "", "[2]"),
        ("https://z.example/", "", ""),
    ]


@pytest.mark.parametrize("broken", ["{}", "7", '[{"type":7}]', "[null]", '{"groundingChunks":7}', '"x"'])
def test_sources_that_cannot_be_read_do_not_cost_the_answer(broken: str) -> None:
    holders: dict[str, Callable[[Any], Any]] = {
        "openai": lambda fields: fields["choices"][0]["message"],
        "anthropic": lambda fields: fields["content"][1],
        "gemini": lambda fields: fields["candidates"][0],
        "bedrock": lambda fields: fields["output"]["message"]["content"][1]["citationsContent"],
        "cohere": lambda fields: fields["message"],
    }
    keys = {"openai": "annotations", "gemini": "groundingMetadata"}
    for name, (far, answers) in FARS.items():
        fields = json.loads(answers()[0])
        holders[name](fields)[keys.get(name, "citations")] = json.loads(broken)
        told = json.loads(answered(far, Operation.CHAT, BODIES[Operation.CHAT]).whole(json.dumps(fields).encode()))
        assert told["choices"][0]["message"]["content"] == TEXT
