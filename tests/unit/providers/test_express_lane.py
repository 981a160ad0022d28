"""The express lane changes what it owns in a request, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.assembly.dialects import CLIENT_DIALECTS
from pointsman.core.errors import Malformed
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Operation
from pointsman.dialects.openai_fields import read_ask
from pointsman.policies.parameters import take_rules
from pointsman.providers import lanes as lanes_module
from pointsman.providers.express import ExpressLane, ExpressWay
from pointsman.providers.lanes import LaneBook
from pointsman.providers.tokens import FixedCredential

PLAIN = Deployment(
    id="d", group="public", provider="openai", model="real-model", litellm_model="openai/real-model",
    api_base="http://x/v1", price=None,
)  # fmt: skip
CHAT = {"model": "public", "messages": [{"role": "user", "content": "Hi there, you"}]}


def written(body: bytes, deployment: Deployment = PLAIN, operation: Operation = Operation.CHAT) -> bytes:
    return ExpressLane(deployment, operation).write(read_ask(body, operation, None)).body


def chat(**more: Any) -> bytes:
    return json.dumps({**CHAT, **more}).encode()


def dropping(*names: str, **pinned: str) -> Deployment:
    raws = {name: msgspec.Raw(value.encode()) for name, value in pinned.items()}
    return msgspec.structs.replace(PLAIN, additional_drop_params=names, pinned=raws)


@pytest.mark.parametrize(
    ("operation", "body", "path"),
    [
        (Operation.CHAT, CHAT, b"/chat/completions"),
        (Operation.COMPLETION, {"model": "public", "prompt": "Hi"}, b"/completions"),
        (Operation.EMBEDDING, {"model": "public", "input": "Hi"}, b"/embeddings"),
    ],
)
def test_each_operation_has_its_path_and_gets_the_upstreams_name_for_the_model(
    operation: Operation, body: dict[str, Any], path: bytes
) -> None:
    data = json.dumps(body).encode()
    outbound = ExpressLane(PLAIN, operation).write(read_ask(data, operation, None))
    assert outbound.path == path and outbound.content_type == b"application/json"
    assert json.loads(outbound.body) == {**body, "model": "real-model"}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OWN = {"model", "messages", "stream", "stream_options", "n", "best_of", "max_tokens", "max_completion_tokens", "user"}


@given(st.dictionaries(st.text().filter(lambda name: name not in OWN), JSON_VALUES, max_size=5))
def test_fields_nobody_knows_reach_the_upstream_as_they_were(fields: dict[str, Any]) -> None:
    out = json.loads(written(chat(**fields)))
    assert out == {**CHAT, **fields, "model": "real-model"}


def test_numbers_and_escapes_are_not_even_spelt_differently() -> None:
    numbers = b'{"seed":1.0e2,"big":123456789012345678901234567890,"t":"\\u00e9\\/"'
    body = numbers + b',"model":"public","messages":[ {"role":"user"} ]}'
    out = written(body)
    assert out == body.replace(b'"public"', b'"real-model"')


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"allowed","messages":[{"role":"user","content":"x"}],"model":"forbidden"}',
        b'{"model":"forbidden","messages":[{"role":"user","content":"x"}],"mod\\u0065l":"allowed"}',
        b'{"\\u006dodel":"a","model":"b","MODEL":"c","messages":[{"role":"user","content":"x"}],"m\\u006fdel":"allowed"}',
    ],
)
def test_of_a_model_named_twice_or_in_disguise_one_is_left_and_it_is_ours(body: bytes) -> None:
    out = written(body)
    pairs: list[str] = []
    json.loads(out, object_pairs_hook=lambda found: pairs.extend(name for name, _ in found if name == "model"))
    assert pairs == ["model"] and json.loads(out)["model"] == "real-model"
    assert b"forbidden" not in out and b"u0065" not in out


def test_the_model_of_the_path_takes_the_place_of_one_in_the_body_and_of_none() -> None:
    lane = ExpressLane(PLAIN, Operation.CHAT)
    for body in (chat(model="other"), json.dumps({"messages": CHAT["messages"]}).encode()):
        ask = read_ask(body, Operation.CHAT, "public")
        assert ask.model == "public" and json.loads(lane.write(ask).body)["model"] == "real-model"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"include_usage": True}),
        ({"stream_options": None}, {"include_usage": True}),
        ({"stream_options": {}}, {"include_usage": True}),
        ({"stream_options": {"include_usage": False, "x": 1}}, {"include_usage": True, "x": 1}),
        ({"stream_options": {"include_usage": True, "x": 1}}, {"include_usage": True, "x": 1}),
    ],
)
def test_a_stream_is_always_asked_for_its_usage(given: dict[str, Any], sent: dict[str, Any]) -> None:
    assert json.loads(written(chat(stream=True, **given)))["stream_options"] == sent


def test_an_unstreamed_request_is_not_given_stream_options() -> None:
    assert "stream_options" not in json.loads(written(chat()))
    assert "stream_options" not in json.loads(written(chat(stream=False)))


def test_an_operator_whose_upstream_knows_no_stream_options_can_drop_them() -> None:
    for options in ({}, {"stream_options": {"include_usage": True}}):
        assert "stream_options" not in json.loads(written(chat(stream=True, **options), dropping("stream_options")))


def test_pinned_fields_are_added_and_the_requests_own_win() -> None:
    deployment = dropping(temperature="0.5", top_k="7", model='"evil"')
    out = json.loads(written(chat(temperature=1), deployment))
    assert (out["temperature"], out["top_k"], out["model"]) == (1, 7, "real-model")


def test_dropped_fields_are_left_out() -> None:
    out = json.loads(written(chat(logit_bias={}, seed=1), dropping("seed", "absent")))
    assert "seed" not in out and out["logit_bias"] == {}


def test_writing_leaves_the_request_as_it_is_for_another_attempt() -> None:
    ask = read_ask(chat(stream=True), Operation.CHAT, None)
    before = dict(ask.fields)
    first, second = (ExpressLane(PLAIN, Operation.CHAT).write(ask) for _ in range(2))
    assert first == second and ask.fields == before


def test_a_body_that_is_not_utf8_is_refused_before_it_is_sent() -> None:
    with pytest.raises(Malformed):
        written(b'{"model":"public","messages":[{"role":"user","content":"\xff\xfe"}]}')


def test_the_answer_knows_the_key_that_must_not_be_told() -> None:
    deployment = msgspec.structs.replace(PLAIN, api_key=Secret("upstream-key-1"))
    answer = ExpressLane(deployment, Operation.CHAT).answer(read_ask(chat(stream=True), Operation.CHAT, None))
    answer.feed(b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n')
    out = answer.feed(b'data: {"error":{"message":"bad key upstream-key-1"}}\n\n')
    assert b"upstream-key-1" not in out and b"bad key" in out


# -- the book of lanes -----------------------------------------------------------------------------------


def test_a_deployment_has_one_lane_per_operation_and_a_changed_one_a_new_lane() -> None:
    book = LaneBook({})
    lane = book.lane(Operation.CHAT, PLAIN)
    assert book.lane(Operation.CHAT, PLAIN) is lane
    assert book.lane(Operation.EMBEDDING, PLAIN) is not lane
    changed = msgspec.structs.replace(PLAIN, model="newer")
    assert book.lane(Operation.CHAT, changed) is not lane


def test_a_provider_with_a_dialect_of_its_own_gets_its_own_lane() -> None:
    made: list[tuple[str, Operation]] = []

    def native(deployment: Deployment, operation: Operation) -> ExpressLane:
        made.append((deployment.id, operation))
        return ExpressLane(deployment, operation)

    book = LaneBook({"ollama": native})
    for provider in ("ollama", "ollama_chat", "openai", "nobody-knows"):
        book.lane(Operation.CHAT, msgspec.structs.replace(PLAIN, id=provider, provider=provider))
    assert made == [("ollama", Operation.CHAT), ("ollama_chat", Operation.CHAT)]


def test_a_model_for_responses_only_is_asked_there_by_every_client() -> None:
    book = LaneBook({})
    there = msgspec.structs.replace(PLAIN, mode="responses", capabilities=frozenset({"reasoning"}))
    for operation, body in (
        (Operation.CHAT, chat()),
        (Operation.MESSAGES, b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"Hi"}]}'),
    ):
        ask = CLIENT_DIALECTS[operation].read_ask(body, operation, None)
        sent = book.lane(operation, there).write(ask)
        fields = json.loads(sent.body)
        assert (sent.path, fields["model"], fields["store"]) == (b"/responses", "real-model", False)
        assert fields["include"] == ["reasoning.encrypted_content"]


def test_what_the_operators_headers_bear_is_not_told_should_the_upstream_repeat_it() -> None:
    there = msgspec.structs.replace(PLAIN, headers={"X-Own": Secret("very-private-token"), "X-Short": Secret("a")})
    assert there.secrets == ("very-private-token",)
    ask = read_ask(chat(stream=True), Operation.CHAT, None)
    body = b'{"error":{"message":"no such token very-private-token"}}'
    error = ExpressLane(there, Operation.CHAT).answer(ask).rejected(401, body, None)
    assert "very-private-token" not in error.message and "no such token" in error.message


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"metadata": {"trace_id": "a"}}, None),
        ({"metadata": {"trace_id": "a", "spend": {"x": 1}}, "store": True}, {"trace_id": "a"}),
        ({"metadata": {"spend": 1}, "store": True}, None),
        ({"metadata": "no map", "store": True}, None),
    ],
)
def test_openai_gets_a_chats_metadata_only_as_it_takes_it(fields: dict[str, Any], left: Any) -> None:
    there = msgspec.structs.replace(PLAIN, api_base="https://api.openai.com/v1")
    ask = read_ask(chat(**fields), Operation.CHAT, None)
    assert json.loads(ExpressLane(there, Operation.CHAT).write(ask).body).get("metadata") == left
    assert json.loads(ExpressLane(PLAIN, Operation.CHAT).write(ask).body)["metadata"] == fields["metadata"]
    assert "metadata" in ask.fields, "what the gateway reads of it stays"


def test_lanes_of_ever_new_deployments_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "_LANES_MAX", 8)
    book = LaneBook({})
    for number in range(50):
        book.lane(Operation.CHAT, msgspec.structs.replace(PLAIN, id=str(number)))
        assert len(book._known) <= 8


def ruled(deployment: Deployment = PLAIN, **fields: Any) -> dict[str, Any]:
    ask = read_ask(chat(**fields), Operation.CHAT, None)
    take_rules(ask)
    body: dict[str, Any] = json.loads(ExpressLane(deployment, Operation.CHAT).write(ask).body)
    return body


def test_paths_are_dropped_here_too() -> None:
    tools = [{"type": "function", "function": {"name": "f", "strict": True}}]
    for body in (
        ruled(dropping("tools[*].function.strict", "seed"), tools=tools, seed=1),
        ruled(tools=tools, seed=1, additional_drop_params=["tools[*].function.strict", "seed"]),
    ):
        assert body == {**CHAT, "model": "real-model", "tools": [{"type": "function", "function": {"name": "f"}}]}


@pytest.mark.parametrize("names", [["stream_options"], ["stream_options.include_usage"]])
def test_a_request_cannot_drop_what_it_is_counted_by(names: list[str]) -> None:
    body = chat(stream=True, stream_options={"include_usage": True}, additional_drop_params=names)
    ask = read_ask(body, Operation.CHAT, None)
    take_rules(ask)
    sent = json.loads(ExpressLane(PLAIN, Operation.CHAT).write(ask).body)
    assert sent["stream_options"] == {"include_usage": True}


def test_rules_and_what_is_for_the_gateway_are_not_sent() -> None:
    body = ruled(drop_params=True, allowed_openai_params=["x"], tags=["a"], num_retries=2, fallbacks=["b"], x=1)
    assert body == {**CHAT, "model": "real-model", "x": 1}


def test_a_request_cannot_have_dropped_what_the_gateway_adds_to_count_it() -> None:
    body = ruled(stream=True, additional_drop_params=["stream_options", "stream_options.include_usage", "model"])
    assert body["stream_options"] == {"include_usage": True} and body["model"] == "real-model"


def test_openais_beta_features_are_sent_on_and_nobody_elses() -> None:
    ask = read_ask(chat(), Operation.CHAT, None)
    ask.versions = (("anthropic-beta", "a"), ("openai-beta", "b=1"))
    headers = ExpressLane(PLAIN, Operation.CHAT).write(ask).headers
    assert [(name, value.reveal()) for name, value in headers] == [("openai-beta", "b=1")]


async def test_a_way_of_its_own_has_its_paths_its_model_and_its_credential() -> None:
    credential = FixedCredential(Secret("t"))
    way = ExpressWay(b"/whole", b"/streamed", "theirs", credential, newer_limit=True)
    lane = ExpressLane(PLAIN, Operation.CHAT, way=way)
    whole, streamed = (
        lane.write(read_ask(chat(max_tokens=5, stream=stream), Operation.CHAT, None)) for stream in (False, True)
    )
    assert lane.prepares
    await lane.prepare(read_ask(chat(), Operation.CHAT, None))
    assert (whole.path, streamed.path) == (b"/whole", b"/streamed")
    assert whole.headers is streamed.headers and whole.headers[0][1].reveal() == "Bearer t"
    expected = {**CHAT, "model": "theirs", "stream": False, "max_completion_tokens": 5}
    assert json.loads(whole.body) == expected
    both = lane.write(read_ask(chat(max_tokens=5, max_completion_tokens=6), Operation.CHAT, None))
    assert json.loads(both.body)["max_completion_tokens"] == 6 and "max_tokens" not in json.loads(both.body)
