"""What is sent is compared with what AWS's reference of the Converse API shows."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice
from pointsman.core.content import File, Image, Message, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.bedrock_converse.abilities import Abilities, abilities_of
from pointsman.dialects.bedrock_converse.requests import write_request

CLAUDE = abilities_of("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
ADAPTIVE = abilities_of("anthropic.claude-opus-4-6-v1")
OLD_CLAUDE = abilities_of("anthropic.claude-3-5-sonnet-20240620-v1:0")
NOVA = abilities_of("amazon.nova-lite-v1:0")
NOVA_2 = abilities_of("us.amazon.nova-2-lite-v1:0")
LLAMA = abilities_of("meta.llama3-2-1b-instruct-v1:0")
GPT = abilities_of("openai.gpt-oss-120b-1:0")
UNKNOWN = abilities_of("arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2")

MARK = msgspec.Raw(b'{"type":"ephemeral"}')
HOUR = msgspec.Raw(b'{"type":"ephemeral","ttl":"1h"}')
POINT = {"cachePoint": {"type": "default"}}
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}')
SHAPE = ResponseFormat("json_schema", "place", SCHEMA)
WEATHER = Tool("get.weather", "The weather", SCHEMA)
CALLED = ToolCall("call_1", "get.weather", '{"city": "Rome"}')


def user(*parts: Part | str) -> Message:
    return Message("user", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def assistant(*parts: Part) -> Message:
    return Message("assistant", parts)


def tool(*results: ToolResult) -> Message:
    return Message("tool", results)


def written(*messages: Message, abilities: Abilities = CLAUDE, **fields: Any) -> dict[str, Any]:
    call = Call("m", messages or (user("Hi"),), **fields)
    body: dict[str, Any] = msgspec.json.decode(write_request(call, abilities))
    return body


def turns(*messages: Message, **fields: Any) -> Any:
    return written(*messages, **fields)["messages"]


def test_a_text_and_nothing_else() -> None:
    assert written() == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}


def test_the_system_prompt_stands_apart_and_takes_later_instructions() -> None:
    body = written(
        Message("system", (Text("Be brief.", MARK),)), user("Hi"), Message("developer", (Text("In verse."), Text(" ")))
    )
    assert body["system"] == [{"text": "Be brief."}, POINT, {"text": "In verse."}]
    assert body["messages"] == [{"role": "user", "content": [{"text": "Hi"}]}]


def test_turns_alternate_and_results_go_first() -> None:
    messages = (
        user("one"),
        user("two", " "),
        assistant(Text("I look."), CALLED, ToolCall("call/2", "get.weather", "")),
        user("Hurry!"),
        tool(ToolResult("call_1", (Text("sunny"),))),
        tool(ToolResult("call/2", (), is_error=True)),
        assistant(Refusal("No."), Text("Sorry. ")),
    )
    assert turns(*messages, tools=(WEATHER,)) == [
        {"role": "user", "content": [{"text": "one"}, {"text": "two"}]},
        {
            "role": "assistant",
            "content": [
                {"text": "I look."},
                {"toolUse": {"toolUseId": "call_1", "name": "get_weather", "input": {"city": "Rome"}}},
                {"toolUse": {"toolUseId": "call_2", "name": "get_weather", "input": {}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "call_1", "content": [{"text": "sunny"}]}},
                {"toolResult": {"toolUseId": "call_2", "content": [{"text": ""}], "status": "error"}},
                {"text": "Hurry!"},
            ],
        },
        {"role": "assistant", "content": [{"text": "No."}, {"text": "Sorry."}]},
    ]


@pytest.mark.parametrize("fields", [{}, {"tools": (WEATHER,), "tool_choice": ToolChoice("none")}])
def test_without_tools_calls_and_results_are_told_in_words(fields: dict[str, Any]) -> None:
    picture = Image("iVBORw0KGgo=", "image/png")
    body = written(user("weather?"), assistant(CALLED), tool(ToolResult("call_1", (Text("sunny"), picture))), **fields)
    assert "toolConfig" not in body
    assert [turn["content"] for turn in body["messages"][1:]] == [
        [{"text": 'I call the tool get.weather with {"city": "Rome"}'}],
        [
            {"text": "The tool answered:"},
            {"text": "sunny"},
            {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
        ],
    ]


def test_reasoning_goes_back_with_its_signature_and_not_without() -> None:
    said = assistant(Thinking("I think.", "c2ln"), Thinking("", "cmVk", redacted=True), Thinking("lost"), Text("So."))
    assert turns(user("Hi"), said, user("And?"))[1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "I think.", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
        {"text": "So."},
    ]


def test_a_document_needs_words_beside_it() -> None:
    content = turns(user(File("JVBERi0=", filename="plan.pdf"), File(text="x")))[0]["content"]
    assert content == [
        {"document": {"format": "pdf", "name": "plan", "source": {"bytes": "JVBERi0="}}},
        {"document": {"format": "txt", "name": "Document", "source": {"bytes": "eA=="}}},
        {"text": "plan"},
    ]
    assert len(turns(user("Read.", File("JVBERi0=")))[0]["content"]) == 2


@pytest.mark.parametrize(
    ("abilities", "mark", "points"),
    [
        (CLAUDE, MARK, [POINT]),
        (CLAUDE, HOUR, [{"cachePoint": {"type": "default", "ttl": "1h"}}]),
        (CLAUDE, msgspec.Raw(b'{"ttl":5}'), [POINT]),
        (NOVA, HOUR, [POINT]),
        (LLAMA, MARK, []),
    ],
)
def test_cache_points_where_the_model_knows_them(
    abilities: Abilities, mark: msgspec.Raw, points: list[dict[str, Any]]
) -> None:
    marked = Tool("f", parameters=SCHEMA, cache_control=mark)
    messages = (user(Text("a", mark), Image("AAAA", cache_control=mark)), assistant(CALLED))
    body = written(*messages, tool(ToolResult("call_1", (), cache_control=mark)), abilities=abilities, tools=(marked,))
    first, _, last = (turn["content"] for turn in body["messages"])
    assert [block for block in first if "cachePoint" in block] == points * 2
    assert last[1:] == points
    assert body["toolConfig"]["tools"][1:] == points


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        (ToolChoice("auto"), {"auto": {}}),
        (ToolChoice("required"), {"any": {}}),
        (ToolChoice("named", "get.weather"), {"tool": {"name": "get_weather"}}),
    ],
)
def test_tools_and_the_choice_among_them(choice: ToolChoice | None, expected: object) -> None:
    plain = Tool("plain", "", strict=True)
    config = written(tools=(WEATHER, plain), tool_choice=choice)["toolConfig"]
    assert config["tools"] == [
        {
            "toolSpec": {
                "name": "get_weather",
                "description": "The weather",
                "inputSchema": {"json": msgspec.json.decode(SCHEMA)},
            }
        },
        {
            "toolSpec": {
                "name": "plain",
                "inputSchema": {"json": {"type": "object", "properties": {}}},
                "strict": True,
            }
        },
    ]
    assert config.get("toolChoice") == expected


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (b'{"properties":{"a":{}}}', {"type": "object", "properties": {"a": {}}}),
        (b'{"type":"object"}', {"type": "object"}),
        (b"[1]", [1]),
    ],
)
def test_the_input_of_a_tool_is_said_to_be_an_object(schema: bytes, sent: object) -> None:
    tools = written(tools=(Tool("f", parameters=msgspec.Raw(schema)),))["toolConfig"]["tools"]
    assert tools[0]["toolSpec"]["inputSchema"]["json"] == sent


def test_strict_is_told_to_those_who_know_it() -> None:
    spec = written(tools=(Tool("f", strict=True),), abilities=LLAMA)["toolConfig"]["tools"][0]["toolSpec"]
    assert "strict" not in spec


def test_the_common_knobs() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, max_tokens=64, stop=("END",))
    body = written(sampling=sampling)
    assert body["inferenceConfig"] == {
        "maxTokens": 64,
        "temperature": 0.5,
        "topP": 0.9,
        "stopSequences": ["END"],
    }
    assert body["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert "additionalModelResponseFieldPaths" not in written(sampling=sampling, abilities=LLAMA)


@pytest.mark.parametrize(
    ("abilities", "sampling", "fields"),
    [
        (CLAUDE, Sampling(top_k=5), {"top_k": 5}),
        (LLAMA, Sampling(top_k=5), {"top_k": 5}),
        (NOVA, Sampling(top_k=5), {"inferenceConfig": {"topK": 5}}),
    ],
)
def test_top_k_is_the_models_own(abilities: Abilities, sampling: Sampling, fields: object) -> None:
    assert written(sampling=sampling, abilities=abilities)["additionalModelRequestFields"] == fields


@pytest.mark.parametrize(
    ("abilities", "reasoning", "max_tokens", "fields", "limit"),
    [
        (CLAUDE, Reasoning("low"), 4000, {"thinking": {"type": "enabled", "budget_tokens": 1024}}, 4000),
        (CLAUDE, Reasoning("high"), None, {"thinking": {"type": "enabled", "budget_tokens": 4096}}, 8192),
        (CLAUDE, Reasoning(budget_tokens=9000), 5000, {"thinking": {"type": "enabled", "budget_tokens": 4999}}, 5000),
        (CLAUDE, Reasoning(budget_tokens=10), 5000, {"thinking": {"type": "enabled", "budget_tokens": 1024}}, 5000),
        (CLAUDE, Reasoning("low"), 1000, None, 1000),
        (CLAUDE, Reasoning("none"), 100, None, 100),
        (CLAUDE, Reasoning(enabled=False), 100, None, 100),
        (
            ADAPTIVE,
            Reasoning("xhigh"),
            99,
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
            99,
        ),
        (ADAPTIVE, Reasoning(enabled=True), 99, {"thinking": {"type": "adaptive"}}, 99),
        (ADAPTIVE, Reasoning(budget_tokens=2000), 3000, {"thinking": {"type": "enabled", "budget_tokens": 2000}}, 3000),
        (
            NOVA_2,
            Reasoning("minimal"),
            99,
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}},
            99,
        ),
        (NOVA_2, Reasoning("max"), 99, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}, 99),
        (GPT, Reasoning("high"), 99, {"reasoning_effort": "high"}, 99),
        (UNKNOWN, Reasoning("high"), 99, {"reasoning_effort": "high"}, 99),
        (UNKNOWN, Reasoning(budget_tokens=2000), 3000, {"thinking": {"type": "enabled", "budget_tokens": 2000}}, 3000),
        (LLAMA, Reasoning("high"), 99, None, 99),
    ],
)
def test_each_family_is_told_in_its_words_how_hard_to_think(
    abilities: Abilities, reasoning: Reasoning, max_tokens: int | None, fields: object, limit: int
) -> None:
    body = written(abilities=abilities, reasoning=reasoning, sampling=Sampling(max_tokens=max_tokens))
    assert body.get("additionalModelRequestFields") == fields
    assert body["inferenceConfig"] == {"maxTokens": limit}


def test_without_a_bound_of_the_clients_no_more_is_asked_for_than_the_model_can_say() -> None:
    call = Call("m", (user("Hi"),), reasoning=Reasoning("ultra"))
    body = json.loads(write_request(call, CLAUDE, output_tokens_max=32_000))
    assert body["inferenceConfig"] == {"maxTokens": 32_000}
    assert body["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 27_904


@pytest.mark.parametrize(
    ("abilities", "thoughts", "thinks"),
    [
        (CLAUDE, (), False),
        (CLAUDE, (Thinking("lost"),), False),
        (CLAUDE, (Thinking("kept", "c2ln"),), True),
        (ADAPTIVE, (), True),
    ],
)
def test_claude_does_not_think_on_where_its_thoughts_were_lost(
    abilities: Abilities, thoughts: tuple[Thinking, ...], thinks: bool
) -> None:
    messages = (user("Hi"), assistant(*thoughts, CALLED), tool(ToolResult("call_1", (Text("sunny"),))))
    fields: dict[str, Any] = {"tools": (WEATHER,), "reasoning": Reasoning("low"), "sampling": Sampling(max_tokens=9000)}
    body = written(*messages, abilities=abilities, **fields)
    assert ("thinking" in body.get("additionalModelRequestFields", {})) is thinks
    later = written(*messages, assistant(Text("Done.")), user("And?"), abilities=abilities, **fields)
    assert "thinking" in later["additionalModelRequestFields"]


def test_an_effort_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Unsupported, match="reasoning_effort"):
        written(reasoning=Reasoning("very"))


def test_one_tool_at_a_time() -> None:
    body = written(tools=(WEATHER,), parallel_tool_calls=False)
    assert body["additionalModelRequestFields"] == {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    body = written(tools=(WEATHER,), parallel_tool_calls=False, tool_choice=ToolChoice("required"))
    assert body["additionalModelRequestFields"] == {"tool_choice": {"disable_parallel_tool_use": True}}
    assert "additionalModelRequestFields" not in written(tools=(WEATHER,), parallel_tool_calls=False, abilities=NOVA)


def test_a_shape_where_the_model_knows_shapes() -> None:
    fields = written(response_format=SHAPE)["outputConfig"]["textFormat"]
    definition = fields["structure"]["jsonSchema"]
    assert (fields["type"], definition["name"]) == ("json_schema", "place")
    assert msgspec.json.decode(definition["schema"]) == {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("abilities", "fields", "names", "choice"),
    [
        (OLD_CLAUDE, {}, ["json_tool_call"], {"tool": {"name": "json_tool_call"}}),
        (OLD_CLAUDE, {"tools": (WEATHER,)}, ["get_weather", "json_tool_call"], {"any": {}}),
        (OLD_CLAUDE, {"tools": (Tool("json_tool_call"),)}, ["json_tool_call", "json_tool_call_"], {"any": {}}),
        (LLAMA, {}, ["json_tool_call"], None),
        (UNKNOWN, {"reasoning": Reasoning("high")}, ["json_tool_call"], None),
    ],
)
def test_a_tool_stands_in_for_a_shape(
    abilities: Abilities, fields: dict[str, Any], names: list[str], choice: object
) -> None:
    config = written(abilities=abilities, response_format=SHAPE, **fields)["toolConfig"]
    assert [entry["toolSpec"]["name"] for entry in config["tools"]] == names
    assert config["tools"][-1]["toolSpec"]["inputSchema"] == {"json": msgspec.json.decode(SCHEMA)}
    assert config.get("toolChoice") == choice


def test_fields_of_converse_go_where_they_belong() -> None:
    guard = {"guardrailIdentifier": "g", "guardrailVersion": "1"}
    raw = {
        "guardrailConfig": guard,
        "performanceConfig": {"latency": "optimized"},
        "requestMetadata": {"team": "a"},
        "additionalModelRequestFields": {"top_k": 9},
        "additionalModelResponseFieldPaths": ["/x"],
        "anthropic_beta": ["b"],
        "service_tier": "flex",
    }
    extra = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in raw.items()}
    body = written(extra=extra, sampling=Sampling(top_k=5))
    assert {
        name: body[name] for name in ("guardrailConfig", "performanceConfig", "requestMetadata", "serviceTier")
    } == {
        "guardrailConfig": guard,
        "performanceConfig": {"latency": "optimized"},
        "requestMetadata": {"team": "a"},
        "serviceTier": {"type": "flex"},
    }
    assert body["additionalModelRequestFields"] == {"top_k": 9, "anthropic_beta": ["b"]}
    assert body["additionalModelResponseFieldPaths"] == ["/x"]


@pytest.mark.parametrize("tier", [b'"auto"', b"7"])
def test_another_providers_tier_is_passed_over(tier: bytes) -> None:
    assert "serviceTier" not in written(extra={"service_tier": msgspec.Raw(tier)})


@pytest.mark.parametrize(
    ("messages", "fields", "param"),
    [
        ((Message("system", (Text("x"),)), user(" ")), {}, "messages"),
        ((user("a"), assistant(ToolCall("1", "f", "[]"))), {"tools": (WEATHER,)}, "messages[1].content[0]"),
        ((), {"extra": {"additionalModelRequestFields": msgspec.Raw(b"[]")}}, "additionalModelRequestFields"),
        ((), {"response_format": ResponseFormat("json_schema")}, "response_format.json_schema.schema"),
        (
            (),
            {"response_format": ResponseFormat("json_schema", schema=msgspec.Raw(b"[]"))},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(
    messages: tuple[Message, ...], fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(Malformed) as caught:
        written(*messages, **fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (Message("system", (Image("AAAA"),)), "messages[0]"),
        (user(Thinking("x")), "messages[0].content[0]"),
        (assistant(Image("AAAA")), "messages[0].content[0]"),
    ],
)
def test_a_part_where_it_cannot_be_is_refused(message: Message, param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        written(message)
    assert caught.value.param == param
