from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.call import Call, EmbeddingCall, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice, WebSearch
from pointsman.core.content import (
    Audio,
    File,
    Image,
    Message,
    Part,
    ServerToolUse,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.gemini.client_requests import read_count_request, read_request
from pointsman.dialects.gemini.embeddings import read_embed_request, write_embedding_request
from pointsman.dialects.gemini.requests import write_request
from pointsman.dialects.gemini.types import GeminiTarget

HI = [{"role": "user", "parts": [{"text": "Hi"}]}]
PNG = "iVBORw0KGgo="
FUNCTIONS = [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def read(**fields: Any) -> Call:
    return read_request(json.dumps({"contents": HI, **fields}).encode(), "m")


def config(**fields: Any) -> Call:
    return read(generationConfig=fields)


def contents(*listed: object) -> tuple[Message, ...]:
    return read(contents=listed).messages


def parts(*listed: object, role: str = "user") -> tuple[Part, ...]:
    return contents({"role": role, "parts": listed})[0].parts


def calling(**fields: object) -> Call:
    return read(tools=FUNCTIONS, toolConfig={"functionCallingConfig": fields})


def test_the_least_request() -> None:
    assert read() == Call("m", (Message("user", (Text("Hi"),)),), include_usage=True)
    assert read_request(json.dumps({"contents": HI}).encode(), "m", stream=True).stream
    assert contents({"parts": [{"text": "Hi"}]}) == read(contents={"parts": [{"text": "Hi"}]}).messages


def test_both_spellings_are_read() -> None:
    call = read(
        system_instruction={"parts": [{"text": "s"}]},
        generation_config={"max_output_tokens": 3, "thinking_config": {"thinking_budget": 0}},
        safety_settings=[],
    )
    assert call.messages[0] == Message("system", (Text("s"),))
    assert call.sampling == Sampling(max_tokens=3)
    assert call.reasoning == Reasoning(enabled=False)
    assert call.extra == {"safetySettings": raw("[]")}


RAN = ServerToolUse("", "code", "1", "python", dialect="gemini")
GAVE = ServerToolUse("", "code", output="1", dialect="gemini")


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"text": "a"}, Text("a")),
        ({"text": "a", "thought": True}, Thinking("a")),
        ({"inlineData": {"mimeType": "IMAGE/PNG", "data": PNG}}, Image(data=PNG, media_type="image/png")),
        ({"inlineData": {"mimeType": "image/png", "data": "_-8"}}, Image(data="/+8=", media_type="image/png")),
        ({"inlineData": {"mimeType": "audio/wav", "data": "aGk="}}, Audio("aGk=", "wav")),
        ({"inlineData": {"mimeType": "text/csv", "data": "aGk="}}, File(data="aGk=", media_type="text/csv")),
        ({"fileData": {"fileUri": "gs://x", "mimeType": "image/png"}}, Image(url="gs://x", media_type="image/png")),
        ({"fileData": {"fileUri": "gs://x"}}, File(url="gs://x")),
        ({"executableCode": {"language": "PYTHON", "code": "1"}}, RAN),
        ({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}, GAVE),
        ({"functionCall": {"name": "f", "args": {"a": 1}, "id": "x"}}, ToolCall("x", "f", '{"a":1}')),
        (
            {"functionCall": {"name": "f"}, "thoughtSignature": "U2ln"},
            ToolCall("call_0_0", "f", "{}", signature="U2ln"),
        ),
    ],
)  # fmt: skip
def test_each_part(part: object, expected: Part) -> None:
    assert parts(part) == (expected,)


def test_a_signature_belongs_to_the_reasoning_before_it() -> None:
    thought = {"text": "Hm", "thought": True}
    assert parts(thought, thought, {"text": "a"}, {"text": "b", "thoughtSignature": "U2ln"}, role="model") == (
        Thinking("HmHm", "U2ln", signer="gemini"),
        Text("ab"),
    )
    assert parts({"text": "", "thoughtSignature": "U2ln"}) == (Thinking("", "U2ln", signer="gemini"),)


def test_a_stream_that_an_sdk_kept_piece_by_piece_is_one_turn() -> None:
    pieces: list[object] = [
        {"text": "Let ", "thought": True},
        {"text": "me see", "thought": True},
        {"text": "", "thoughtSignature": "U2ln"},
        {"text": "Hel"},
        {"text": "lo"},
        {"functionCall": {"name": "f"}},
        {"text": ""},
    ]
    contents = [{"role": "user", "parts": [{"text": "Hi"}]}, *({"role": "model", "parts": [piece]} for piece in pieces)]
    found = read_request(json.dumps({"contents": contents}).encode(), "m").messages[1:]
    assert [message.role for message in found] == ["assistant"]
    assert found[0].parts[:2] == (Thinking("Let me see", "U2ln", signer="gemini"), Text("Hello"))
    assert [type(part).__name__ for part in found[0].parts] == ["Thinking", "Text", "ToolCall"]


def test_results_are_messages_of_their_own_and_find_their_calls() -> None:
    calls = {"role": "model", "parts": [{"functionCall": {"name": name}} for name in ("f", "g", "f")]}
    results = [
        {"functionResponse": {"name": "g", "response": {"output": "r"}}},
        {"functionResponse": {"name": "f", "response": {"a": 1}}},
        {"functionResponse": {"name": "f", "response": {"error": "e"}}},
        {"text": "Go on."},
    ]
    assert contents(calls, {"role": "function", "parts": results})[1:] == (
        Message("tool", (ToolResult("call_0_1", (Text("r"),), "g"),)),
        Message("tool", (ToolResult("call_0_0", (Text('{"a": 1}'),), "f"),)),
        Message("tool", (ToolResult("call_0_2", (Text("e"),), "f", is_error=True),)),
        Message("user", (Text("Go on."),)),
    )


def test_a_result_may_hold_media_and_nothing() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    assert parts({"functionResponse": {"name": "f", "id": "x", "parts": [image]}}) == (
        ToolResult("x", (Image(data=PNG, media_type="image/png"),), "f"),
    )


def test_a_turn_without_parts_is_an_empty_text() -> None:
    assert contents({"role": "model"}) == (Message("assistant", (Text(""),)),)


def test_the_knobs() -> None:
    call = config(
        temperature=0.5, topP=0.1, topK=3.0, seed=7, stopSequences=["x", ""], presencePenalty=1, frequencyPenalty=2,
        maxOutputTokens=9, candidateCount=2, responseLogprobs=True, logprobs=4, mediaResolution="X", speechConfig=None,
    )  # fmt: skip
    assert call.sampling == Sampling(
        temperature=0.5, top_p=0.1, top_k=3, seed=7, stop=("x",), presence_penalty=1, frequency_penalty=2,
        max_tokens=9, n=2, logprobs=True, top_logprobs=4,
    )  # fmt: skip
    assert call.extra == {"generationConfig": raw('{"mediaResolution":"X"}')}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"responseMimeType": "text/plain"}, None),
        ({"responseMimeType": "application/json"}, ResponseFormat("json_object")),
        (
            {"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}},
            ResponseFormat("json_schema", "response", raw('{"type":"string"}')),
        ),
        (
            {"responseMimeType": "application/json", "responseJsonSchema": {"type": "string"}},
            ResponseFormat("json_schema", "response", raw('{"type": "string"}')),
        ),
    ],
)
def test_the_shape_of_the_answer(fields: dict[str, object], expected: ResponseFormat | None) -> None:
    assert config(**fields).response_format == expected


def test_a_shape_that_only_gemini_knows_is_kept() -> None:
    call = config(responseMimeType="text/x.enum", responseSchema={"type": "STRING"})
    assert call.response_format is None
    assert call.extra["generationConfig"] == raw(
        '{"responseMimeType":"text/x.enum","responseSchema":{"type": "STRING"}}'
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"includeThoughts": False}, None),
        ({"includeThoughts": True}, Reasoning(enabled=True)),
        ({"thinkingBudget": -1}, Reasoning(enabled=True)),
        ({"thinkingBudget": 0}, Reasoning(enabled=False)),
        ({"thinkingBudget": 99}, Reasoning(budget_tokens=99, enabled=True)),
        ({"thinkingLevel": "LOW"}, Reasoning(effort="low")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, None),
    ],
)
def test_how_hard_to_think(fields: dict[str, object], expected: Reasoning | None) -> None:
    assert config(thinkingConfig=fields).reasoning == expected


def test_tools() -> None:
    functions = [
        {"name": "f", "description": "d", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}},
        {"name": "g", "parametersJsonSchema": {"type": "object"}, "parameters": None},
        {"name": "h", "description": ""},
    ]
    assert read(tools=[{"functionDeclarations": functions}, {"googleSearch": {}, "codeExecution": None}]).tools == (
        Tool("f", "d", raw('{"type":"object","properties":{"a":{"type":"string"}}}')),
        Tool("g", None, raw('{"type": "object"}')),
        Tool("h"),
        Tool("googleSearch", native=raw('{"googleSearch":{}}'), dialect="gemini", search=WebSearch()),
    )


@pytest.mark.parametrize(
    ("fields", "names", "expected"),
    [
        ({}, "fg", None),
        ({"mode": "MODE_UNSPECIFIED"}, "fg", None),
        ({"mode": "AUTO"}, "fg", ToolChoice("auto")),
        ({"mode": "NONE"}, "fg", ToolChoice("none")),
        ({"mode": "ANY"}, "fg", ToolChoice("required")),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, "fg", ToolChoice("named", "f")),
        ({"mode": "ANY", "allowedFunctionNames": ["g", "f"]}, "fg", ToolChoice("required")),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["g"]}, "g", ToolChoice("auto")),
    ],
)
def test_which_function_to_call(fields: dict[str, object], names: str, expected: ToolChoice | None) -> None:
    call = calling(**fields)
    assert "".join(tool.name for tool in call.tools) == names
    assert call.tool_choice == expected
    assert all(tool.strict is (True if fields.get("mode") == "VALIDATED" else None) for tool in call.tools)


def test_the_rest_of_the_tool_config_is_kept() -> None:
    found = read(toolConfig={"retrievalConfig": {"languageCode": "de"}, "functionCallingConfig": {}})
    assert found.extra == {"toolConfig": raw('{"retrievalConfig":{"languageCode": "de"}}')}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"contents": []}, "contents"),
        ({"contents": None}, "contents"),
        ({"contents": [{"parts": [{}]}]}, "contents[0].parts[0]"),
        ({"contents": [{"parts": [{"text": 7}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"inlineData": {"data": "?"}}]}]}, "contents[0].parts[0].inlineData.data"),
        ({"contents": [{"parts": [{"fileData": {}}]}]}, "contents[0].parts[0].fileData.fileUri"),
        (
            {"contents": [{"parts": [{"functionCall": {"name": "f", "args": 1}}]}]},
            "contents[0].parts[0].functionCall.args",
        ),
        ({"systemInstruction": {"parts": [{"inlineData": {}}]}}, "systemInstruction.parts[0]"),
        ({"generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
        ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}, "toolConfig.functionCallingConfig.mode"),
        (
            {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["x"]}}},
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(fields: dict[str, object], param: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(**fields)
    assert caught.value.param == param


def test_a_request_comes_to_gemini_as_the_client_wrote_it() -> None:
    sent = {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]},
            {
                "role": "model",
                "parts": [
                    {"text": "Hm", "thought": True},
                    {"text": "So", "thoughtSignature": "U2ln"},
                    {"functionCall": {"id": "x", "name": "f", "args": {"a": 1}}, "thoughtSignature": "T3Ro"},
                ],
            },
            {"role": "user", "parts": [{"functionResponse": {"id": "x", "name": "f", "response": {"output": "r"}}}]},
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}}}
                ]
            },
            {"googleSearch": {}},
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {
            "temperature": 0.5,
            "responseMimeType": "application/json",
            "responseSchema": {"type": "STRING", "format": "enum", "enum": ["x"]},
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 777},
            "mediaResolution": "MEDIA_RESOLUTION_LOW",
        },
        "safetySettings": [{"category": "c", "threshold": "t"}],
    }  # fmt: skip
    call = read_request(json.dumps(sent).encode(), "m")
    assert json.loads(write_request(call, GeminiTarget("gemini-2.5-pro"))) == sent


def test_counting_takes_contents_or_a_request() -> None:
    whole = {"generate_content_request": {"model": "models/m", "contents": HI, "systemInstruction": {"parts": []}}}
    expected = read()
    assert read_count_request(json.dumps({"contents": HI}).encode(), "m") == expected
    assert read_count_request(json.dumps(whole).encode(), "m") == expected
    with pytest.raises(Malformed):
        read_count_request(b"{}", "m")


def test_embeddings_of_both_kinds() -> None:
    content = {"parts": [{"text": "a"}, {"text": "b"}]}
    one = {"content": content, "taskType": "X", "output_dimensionality": 3, "title": "t"}
    expected = EmbeddingCall("m", ("a\nb",), 3, extra={"taskType": raw('"X"'), "title": raw('"t"')})
    assert read_embed_request(json.dumps(one).encode(), "m", batch=False) == expected
    batch = read_embed_request(json.dumps({"requests": [one, one]}).encode(), "m", batch=True)
    assert batch == msgspec.structs.replace(expected, inputs=("a\nb", "a\nb"))
    assert len(json.loads(write_embedding_request(batch, GeminiTarget("up")))["requests"]) == 2


@pytest.mark.parametrize(
    ("requests", "param"),
    [
        ([], "requests"),
        ([{"content": {"parts": []}}], "requests[0].content"),
        ([{"content": {"parts": [{"text": "a"}]}}, {"content": {"parts": [{"text": "a"}]}, "title": "t"}], "requests"),
        ([{"content": {"parts": [{"fileData": {}}]}}], "requests[0].content.parts[0]"),
        ([{}], "requests[0].content"),
    ],
)
def test_what_cannot_be_embedded_is_named(requests: object, param: str) -> None:
    with pytest.raises((Malformed, Unsupported)) as caught:
        read_embed_request(json.dumps({"requests": requests}).encode(), "m", batch=True)
    assert caught.value.param == param


@given(st.binary(max_size=80))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for act in (read_request, read_count_request):
        with pytest.raises(Malformed):
            act(body, "m")
