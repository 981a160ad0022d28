from __future__ import annotations

import base64
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice, WebSearch
from pointsman.core.content import File, Image, Message, Text, Thinking, ToolCall, ToolResult
from pointsman.core.errors import GatewayError, Malformed, Unsupported
from pointsman.dialects.anthropic_messages.abilities import Abilities, abilities_of
from pointsman.dialects.anthropic_messages.requests import read_request, write_request
from pointsman.dialects.anthropic_messages.turns import calls_without_thought, write_messages

MESSAGES = [{"role": "user", "content": "Hi"}]
TOOLS = [{"name": name, "input_schema": {"type": "object"}} for name in ("f", "g")]
ALL = Abilities(json_schema=True, effort=True, system_turns=True)
SCHEMA = msgspec.Raw(b'{"type":"object"}')
HI = (Message("user", (Text("Hi"),)),)


def read(**fields: object) -> Call:
    return read_request(json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode())


def refusal(**fields: object) -> GatewayError:
    with pytest.raises((Malformed, Unsupported)) as caught:
        read(**fields)
    return caught.value


def written(call: Call, abilities: Abilities = Abilities()) -> dict[str, object]:  # noqa: B008 - it is frozen
    found: dict[str, object] = json.loads(write_request(call, "up", abilities=abilities))
    return found


# ── Identity ─────────────────────────────────────────────────────────────────────────────────────────────────────────

texts = st.text(st.characters(codec="utf-8"), max_size=6)
words = st.text(st.characters(codec="utf-8"), max_size=6).map("w{}w".format)
ids = st.from_regex(r"[a-zA-Z0-9_-]{1,9}", fullmatch=True)
raws = st.recursive(
    st.booleans() | st.integers(-9, 9) | texts, lambda inner: st.dictionaries(texts, inner), max_leaves=3
)
raw_values = raws.map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
objects = st.dictionaries(texts, raws, max_size=2).map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
data = st.binary(min_size=1, max_size=6).map(lambda raw: base64.b64encode(raw).decode())
marks = st.none() | st.sampled_from([
    msgspec.Raw(b'{"type":"ephemeral"}'),
    msgspec.Raw(b'{"type":"ephemeral","ttl":"1h"}'),
])  # fmt: skip

text = st.builds(Text, words, marks)
urls = words.map("https://host/".__add__)
image = st.builds(
    Image, data=data, media_type=st.sampled_from(["image/png", "image/webp"]), cache_control=marks
) | st.builds(Image, url=urls, cache_control=marks)
titles = st.none() | words
file = (
    st.builds(File, data=data, media_type=st.just("application/pdf"), filename=titles, cache_control=marks)
    | st.builds(File, url=urls, filename=titles, cache_control=marks)
    | st.builds(File, text=texts, filename=titles, cache_control=marks)
    | st.builds(File, file_id=words, filename=titles, cache_control=marks)
)
call = st.builds(ToolCall, ids, words, objects.map(lambda raw: bytes(raw).decode()), cache_control=marks)
OURS = st.just("anthropic")
thinking = st.builds(Thinking, texts, words, signer=OURS) | st.builds(
    Thinking, st.just(""), words, st.just(value=True), signer=OURS
)
result = st.builds(
    ToolResult,
    ids,
    st.lists(text | image | file, max_size=2).map(tuple),
    is_error=st.booleans(),
    cache_control=marks,
)
user = st.builds(Message, st.just("user"), st.lists(text | image | file, min_size=1, max_size=2).map(tuple))
tool_turn = st.builds(Message, st.just("tool"), st.lists(result, min_size=1, max_size=2).map(tuple))
assistant = st.builds(
    Message, st.just("assistant"), st.lists(text | call | thinking, min_size=1, max_size=3).map(tuple)
)
system = st.builds(Message, st.just("system"), st.lists(text, min_size=1, max_size=2).map(tuple))
tool = st.builds(Tool, words, st.none() | texts, objects, st.none() | st.booleans(), cache_control=marks) | st.builds(
    Tool,
    st.just("web_search"),
    native=st.just(msgspec.Raw(b'{"type":"web_search_20260318","name":"web_search","max_uses":5}')),
    search=st.just(WebSearch(uses_max=5)),
    dialect=st.just("anthropic_messages"),
)
sampling = st.builds(
    Sampling,
    temperature=st.none() | st.floats(0, 1),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(0, 100),
    stop=st.none() | st.lists(words, min_size=1, max_size=3).map(tuple),
    max_tokens=st.integers(10_000, 10**6),
)
efforts = st.none() | st.sampled_from(["low", "medium", "high", "xhigh", "max"])
reasoning = st.none() | st.one_of(
    st.builds(Reasoning, efforts, st.integers(1024, 9999), st.just(value=True)),
    st.builds(Reasoning, efforts, st.none(), st.booleans()),
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    found = draw(st.lists(system, max_size=1))
    for _ in range(draw(st.integers(1, 3))):
        before = draw(st.lists(tool_turn, max_size=1))
        found += [*before, *draw(st.lists(user, min_size=0 if before else 1, max_size=1))]
        found += draw(st.lists(system, max_size=1))
        found.append(draw(assistant))
    return tuple(found[: draw(st.sampled_from([-1, len(found)]))])


@st.composite
def calls(draw: st.DrawFn) -> Call:
    tools = tuple(draw(st.lists(tool, max_size=2, unique_by=lambda one: one.name)))
    choice: ToolChoice | None = None
    parallel: bool | None = None
    if tools:
        names = st.sampled_from(tools).map(lambda one: one.name)
        modes = st.builds(ToolChoice, st.sampled_from(["auto", "required"]))
        choice = draw(st.none() | modes | st.builds(ToolChoice, st.just("named"), names))
        parallel = None if choice is None else draw(st.none() | st.booleans())
    shape = st.builds(ResponseFormat, st.just("json_schema"), schema=objects)
    return Call(
        model=draw(st.sampled_from(["m", "a/b:c"])),
        messages=draw(conversations()),
        sampling=draw(sampling),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        response_format=draw(st.none() | shape),
        reasoning=draw(reasoning),
        stream=draw(st.booleans()),
        include_usage=True,
        user=draw(st.none() | words),
        extra=draw(st.dictionaries(words.map("x-".__add__), raw_values, max_size=2)),
    )


@settings(max_examples=100)
@given(calls())
def test_what_is_written_is_read_back(call: Call) -> None:
    found = read_request(write_request(call, call.model, abilities=ALL))
    if calls_without_thought(write_messages(call.messages, system_turns=True)[1]):
        found = msgspec.structs.replace(found, reasoning=call.reasoning)
    assert found == call


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everything_a_client_may_say_is_read() -> None:
    call = read(
        max_tokens=100,
        system="Be brief.",
        stream=True,
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stop_sequences=["END"],
        tools=[{**TOOLS[0], "type": "custom", "description": "d", "strict": True, "input_examples": [{}]}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        thinking={"type": "adaptive", "display": "omitted"},
        output_config={"effort": "high", "format": {"type": "json_schema", "schema": {}}, "task_budget": 1},
        metadata={"user_id": "u-1"},
        service_tier="auto",
        container=None,
    )
    assert call == Call(
        "m",
        (Message("system", (Text("Be brief."),)), *HI),
        Sampling(temperature=0.5, top_p=0.9, top_k=40, stop=("END",), max_tokens=100),
        (Tool("f", "d", msgspec.Raw(b'{"type": "object"}'), strict=True),),
        ToolChoice("required"),
        parallel_tool_calls=False,
        response_format=ResponseFormat("json_schema", schema=msgspec.Raw(b"{}")),
        reasoning=Reasoning("high", enabled=True),
        stream=True,
        include_usage=True,
        user="u-1",
        extra={"service_tier": msgspec.Raw(b'"auto"'), "output_config": msgspec.Raw(b'{"task_budget":1}')},
    )
    assert written(call, ALL)["output_config"] == {
        "task_budget": 1,
        "effort": "high",
        "format": {"type": "json_schema", "schema": {}},
    }


def test_the_model_in_the_path_wins_and_may_be_the_only_one() -> None:
    body = json.dumps({"messages": MESSAGES}).encode()
    assert read_request(body, "other").model == "other"
    with pytest.raises(Malformed, match="model is required"):
        read_request(body)


def test_nulls_say_nothing() -> None:
    names = [
        "max_tokens", "system", "stream", "temperature", "top_p", "top_k", "stop_sequences", "tools", "tool_choice",
        "thinking", "output_config", "output_format", "metadata",
    ]  # fmt: skip
    assert read(**dict.fromkeys(names)) == read()


def test_a_request_to_count_tokens_is_read_alike() -> None:
    assert read(system="s").sampling.max_tokens is None


def test_the_older_name_of_the_format_is_understood() -> None:
    assert read(output_format={"type": "json_schema", "schema": {}}).response_format is not None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Reasoning(budget_tokens=2000, enabled=True)),
        ({"thinking": {"type": "disabled"}}, Reasoning(enabled=False)),
        ({"thinking": {"type": "adaptive"}}, Reasoning(enabled=True)),
        ({"thinking": {"type": "between_tools"}}, Reasoning(enabled=True)),
        ({"output_config": {"effort": "low"}}, Reasoning("low")),
        ({"output_config": {}}, None),
    ],
)
def test_each_way_of_asking_for_reasoning_is_understood(fields: dict[str, object], expected: Reasoning | None) -> None:
    assert read(**fields).reasoning == expected


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "auto", "disable_parallel_tool_use": False}, ToolChoice("auto"), True),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "tool", "name": "g"}, ToolChoice("named", "g"), None),
        ({"type": "none"}, ToolChoice("none"), None),
    ],
)
def test_each_form_of_tool_choice_is_understood(choice: object, expected: ToolChoice, parallel: bool | None) -> None:
    call = read(tools=TOOLS, tool_choice=choice)
    assert (call.tool_choice, call.parallel_tool_calls) == (expected, parallel)


def test_tools_that_anthropic_runs_itself_are_kept_whole() -> None:
    search = {"type": "web_search_20260318", "name": "web_search", "max_uses": 5}
    toolset = {"type": "mcp_toolset", "mcp_server_name": "x"}
    call = read(tools=[search, toolset])
    assert [(tool.name, tool.dialect) for tool in call.tools] == [
        ("web_search", "anthropic_messages"),
        ("mcp_toolset", "anthropic_messages"),
    ]
    assert written(call)["tools"] == [search, toolset]


@pytest.mark.parametrize(
    ("fields", "message", "param"),
    [
        ({"messages": []}, "messages must not be empty.", "messages"),
        (
            {"messages": [{"role": "tool", "content": ""}]},
            "messages[0].role has the unknown value 'tool'.",
            "messages[0].role",
        ),
        ({"messages": [{"role": "user"}]}, "messages[0].content is required.", "messages[0].content"),
        (
            {"messages": [*MESSAGES, {"role": "user", "content": [{"type": "image", "source": {"type": "base64"}}]}]},
            "messages[1].content[0].source.media_type is required.",
            "messages[1].content[0].source.media_type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "video"}]}]},
            "messages[0].content[0].type has the unknown value 'video'.",
            "messages[0].content[0].type",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": []}]}
                ]
            },
            "messages[0].content[0].input must be an object.",
            "messages[0].content[0].input",
        ),
        ({"temperature": 1.5}, "temperature must be at most 1.", "temperature"),
        ({"max_tokens": -1}, "max_tokens must be at least 0.", "max_tokens"),
        ({"stop_sequences": [""]}, "stop_sequences[0] must not be empty.", "stop_sequences[0]"),
        ({"tools": [{}]}, "tools[0].name is required.", "tools[0].name"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema is required.", "tools[0].input_schema"),
        (
            {"tools": [*TOOLS, {"name": "h", "input_schema": 1}]},
            "tools[2].input_schema must be an object.",
            "tools[2].input_schema",
        ),
        (
            {"tool_choice": {"type": "required"}},
            "tool_choice.type has the unknown value 'required'.",
            "tool_choice.type",
        ),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name is required.", "tool_choice.name"),
        (
            {"tool_choice": {"type": "tool", "name": "h"}},
            "tool_choice names 'h', which is not in tools.",
            "tool_choice.name",
        ),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens is required.", "thinking.budget_tokens"),
        (
            {"output_config": {"effort": "huge"}},
            "output_config.effort has the unknown value 'huge'.",
            "output_config.effort",
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": 1}}},
            "output_config.format.schema must be an object.",
            "output_config.format.schema",
        ),
        ({"output_format": {"schema": 1}}, "output_format.schema must be an object.", "output_format.schema"),
    ],
)
def test_a_wrong_field_is_named_with_its_rule(fields: dict[str, object], message: str, param: str) -> None:
    error = refusal(**fields)
    assert (error.message, error.param, error.status) == (message, param, 400)


@given(
    st.dictionaries(
        st.sampled_from(["messages", "system", "tools", "tool_choice", "thinking", "output_config", "metadata"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["user", "text", "tool_use", ""]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["role", "content", "type", "text", "source", "input", "format", "schema", "name"]),
                    inner,
                )
            ),
            max_leaves=8,
        ),
    )
)
def test_any_object_is_read_or_refused_as_the_clients_fault(value: dict[str, object]) -> None:
    try:
        read_request(msgspec.json.encode({"model": "m", **value}))
    except (Malformed, Unsupported) as error:
        assert error.status == 400  # noqa: PT017 - both ends are fine


@given(st.binary(max_size=100))
def test_any_bytes_are_refused_as_the_clients_fault(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_request(body)


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bound_on_the_answer_is_written_in_any_case() -> None:
    assert written(read()) == {"model": "up", "max_tokens": 4096, "messages": MESSAGES}
    assert json.loads(write_request(read(), "up", output_tokens_max=9))["max_tokens"] == 9


def test_extra_fields_never_replace_what_the_gateway_writes() -> None:
    call = Call("m", HI, extra={"model": msgspec.Raw(b'"other"'), "service_tier": msgspec.Raw(b'"auto"')})
    found = written(call)
    assert (found["model"], found["service_tier"]) == ("up", "auto")


def test_a_tool_without_parameters_takes_an_object() -> None:
    assert written(Call("m", HI, tools=(Tool("f"),)))["tools"] == [
        {"name": "f", "input_schema": {"type": "object", "properties": {}}}
    ]


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), True, {"type": "auto", "disable_parallel_tool_use": False}),
        (ToolChoice("required"), None, {"type": "any"}),
        (ToolChoice("named", "f"), False, {"type": "tool", "name": "f", "disable_parallel_tool_use": True}),
        (ToolChoice("none"), False, {"type": "none"}),
    ],
)
def test_the_choice_of_tools_is_written(choice: ToolChoice | None, parallel: bool | None, expected: object) -> None:
    call = Call("m", HI, tools=(Tool("f"),), tool_choice=choice, parallel_tool_calls=parallel)
    assert written(call).get("tool_choice") == expected
    assert "tool_choice" not in written(msgspec.structs.replace(call, tools=()))


def test_a_tool_of_another_dialect_is_refused_by_its_name() -> None:
    call = Call("m", HI, tools=(Tool("search", native=msgspec.Raw(b"{}"), dialect="gemini"),))
    with pytest.raises(Unsupported, match="'search' is not known to Anthropic") as caught:
        written(call)
    assert caught.value.param == "tools[0]"


def test_a_shape_that_the_model_does_not_know_is_refused_and_never_forgotten() -> None:
    call = Call("m", HI, response_format=ResponseFormat("json_schema", "n", SCHEMA, strict=True))
    assert written(call, ALL)["output_config"] == {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    for shape in (call.response_format, ResponseFormat("json_object")):
        with pytest.raises(Unsupported, match="not known to this model"):
            written(msgspec.structs.replace(call, response_format=shape))
    with pytest.raises(Malformed, match="schema is required"):
        written(msgspec.structs.replace(call, response_format=ResponseFormat("json_schema")), ALL)
    assert "output_config" not in written(msgspec.structs.replace(call, response_format=ResponseFormat("text")))


@pytest.mark.parametrize(
    ("wish", "limit", "thinking", "max_tokens"),
    [
        (Reasoning("low"), None, {"type": "enabled", "budget_tokens": 1024}, 5120),
        (Reasoning("medium"), None, {"type": "enabled", "budget_tokens": 2048}, 6144),
        (Reasoning("high"), None, {"type": "enabled", "budget_tokens": 4096}, 8192),
        (Reasoning("minimal"), 9000, {"type": "enabled", "budget_tokens": 1024}, 9000),
        (Reasoning("xhigh"), 9000, {"type": "enabled", "budget_tokens": 8192}, 9000),
        (Reasoning("high"), 3000, {"type": "enabled", "budget_tokens": 2999}, 3000),
        (Reasoning("high"), 1025, {"type": "enabled", "budget_tokens": 1024}, 1025),
        (Reasoning("high"), 1024, None, 1024),
        (Reasoning(budget_tokens=5000), 6000, {"type": "enabled", "budget_tokens": 5000}, 6000),
        (Reasoning(budget_tokens=10), 6000, {"type": "enabled", "budget_tokens": 1024}, 6000),
        (Reasoning(enabled=True), 6000, {"type": "enabled", "budget_tokens": 2048}, 6000),
        (Reasoning("none"), 6000, {"type": "disabled"}, 6000),
        (Reasoning("high", enabled=False), 6000, {"type": "disabled"}, 6000),
        (None, 6000, None, 6000),
    ],
)
def test_reasoning_becomes_a_budget_below_the_bound(
    wish: Reasoning | None, limit: int | None, thinking: object, max_tokens: int
) -> None:
    found = written(Call("m", HI, Sampling(max_tokens=limit), reasoning=wish))
    assert (found.get("thinking"), found["max_tokens"], "output_config" in found) == (thinking, max_tokens, False)


@pytest.mark.parametrize(
    ("wish", "most", "budget"),
    [
        (Reasoning("low"), 64_000, 1024),
        (Reasoning("ultra"), 64_000, 32_768),
        (Reasoning("ultra"), 32_000, 27_904),
        (Reasoning(budget_tokens=90_000), 64_000, 59_904),
        (Reasoning("high"), 4096, 2048),
        (Reasoning("low"), 1500, None),
    ],
)
def test_without_a_bound_of_the_clients_no_more_is_asked_for_than_the_model_can_say(
    wish: Reasoning, most: int, budget: int | None
) -> None:
    found = json.loads(write_request(Call("m", HI, reasoning=wish), "up", output_tokens_max=most))
    assert found["max_tokens"] == most
    assert found.get("thinking", {}).get("budget_tokens") == budget


@pytest.mark.parametrize(
    ("wish", "thinking", "effort"),
    [
        (Reasoning("minimal"), {"type": "adaptive"}, "low"),
        (Reasoning("xhigh"), {"type": "adaptive"}, "xhigh"),
        (Reasoning(enabled=True), {"type": "adaptive"}, None),
        (Reasoning("none"), {"type": "disabled"}, None),
        (Reasoning("high", 2000), {"type": "enabled", "budget_tokens": 2000}, "high"),
    ],
)
def test_a_model_that_knows_efforts_is_told_one(wish: Reasoning, thinking: object, effort: str | None) -> None:
    found = written(Call("m", HI, reasoning=wish), ALL)
    assert (found["thinking"], found.get("output_config")) == (thinking, None if effort is None else {"effort": effort})


@pytest.mark.parametrize(
    ("model", "wish", "thinking", "effort"),
    [
        ("claude-opus-4-5", Reasoning("high"), {"type": "enabled", "budget_tokens": 4096}, None),
        ("claude-sonnet-4-6", Reasoning("xhigh"), {"type": "adaptive"}, "high"),
        ("claude-sonnet-4-6", Reasoning(budget_tokens=2000), {"type": "enabled", "budget_tokens": 2000}, None),
        ("claude-opus-4-7@20260416", Reasoning(budget_tokens=2000), {"type": "adaptive"}, "low"),
        ("us.anthropic.claude-opus-4-8-v1:0", Reasoning(budget_tokens=32_000), {"type": "adaptive"}, "high"),
        ("claude-opus-4-7", Reasoning("none"), {"type": "disabled"}, None),
        ("claude-fable-5", Reasoning("none"), None, "low"),
        ("claude-opus-5-5", Reasoning("max"), {"type": "adaptive"}, "max"),
    ],
)
def test_each_model_is_told_to_think_as_it_can_be(
    model: str, wish: Reasoning, thinking: object, effort: str | None
) -> None:
    found = written(Call("m", HI, reasoning=wish), abilities_of(model))
    told = None if effort is None else {"effort": effort}
    assert (found.get("thinking"), found.get("output_config")) == (thinking, told)


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(Unsupported, match="'huge' is not known"):
        written(Call("m", HI, reasoning=Reasoning("huge")))


def test_a_rank_of_minus_one_means_none() -> None:
    assert "top_k" not in written(Call("m", HI, Sampling(top_k=-1)))


def calling(*first: object) -> bytes:
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "4"}
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [*first, call]},
        {"role": "user", "content": [result]},
    ]
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    return json.dumps(
        {"model": "m", "max_tokens": 2048, "messages": messages, "tools": tools, "thinking": thinking}
    ).encode()


@pytest.mark.parametrize(
    ("first", "goes_on"),
    [
        ({"type": "thinking", "thinking": "Hm", "signature": "s"}, True),
        ({"type": "redacted_thinking", "data": "s"}, True),
        ({"type": "thinking", "thinking": "Hm", "signature": ""}, False),
        ({"type": "text", "text": "Let me see."}, False),
    ],
)
def test_a_turn_whose_reasoning_was_lost_goes_on_without(first: object, goes_on: bool) -> None:
    body = json.loads(write_request(read_request(calling(first)), "claude"))
    assert ("thinking" in body) is goes_on
    assert body["max_tokens"] == 2048


def test_a_new_turn_thinks_again_whatever_was_lost_before() -> None:
    sent = json.loads(calling({"type": "text", "text": "Let me see."}))
    sent["messages"].append({"role": "user", "content": "And now?"})
    sent["messages"][-1:] = [{"role": "assistant", "content": "4."}, {"role": "user", "content": "Sure?"}]
    assert "thinking" in json.loads(write_request(read_request(json.dumps(sent).encode()), "claude"))
