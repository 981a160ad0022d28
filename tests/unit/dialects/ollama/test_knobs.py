from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.core.call import (
    Call,
    CompletionCall,
    EmbeddingCall,
    Reasoning,
    ResponseFormat,
    Sampling,
    Tool,
    ToolChoice,
)
from pointsman.core.content import Audio, File, Image, Message, Part, Text
from pointsman.core.errors import Unsupported
from pointsman.dialects.ollama.knobs import (
    OPTIONS,
    refuse_or_drop,
    refuse_or_drop_completion,
    refuse_or_drop_embedding,
)

ONE = msgspec.Raw(b"1")
STRICT = (Tool("f", strict=True), Tool("g"))


def chat(*parts: Part, **fields: Any) -> Call:
    return Call("m", (Message("user", parts or (Text("Hi"),)),), **fields)


@pytest.mark.parametrize(
    ("call", "param", "dropped"),
    [
        (chat(sampling=Sampling(n=2, seed=1)), "n", chat(sampling=Sampling(seed=1))),
        (chat(sampling=Sampling(logit_bias=msgspec.Raw(b'{"5":1}'))), "logit_bias", chat()),
        (chat(tool_choice=ToolChoice("required")), "tool_choice", chat()),
        (chat(tool_choice=ToolChoice("named", "f")), "tool_choice", chat()),
        (chat(extra={"verbosity": ONE, "metadata": ONE}), "verbosity", chat(extra={"metadata": ONE})),
        (chat(extra={"web_search_options": ONE}), "web_search_options", chat()),
    ],
)
def test_a_knob_is_refused_by_its_name_or_dropped_where_that_is_allowed(call: Call, param: str, dropped: Call) -> None:
    with pytest.raises(Unsupported) as caught:
        refuse_or_drop(call)
    assert (caught.value.param, caught.value.status) == (param, 400)
    assert "drop_params" in caught.value.told()
    assert refuse_or_drop(call, drop_params=True) == dropped


def test_all_knobs_are_named_at_once() -> None:
    call = chat(sampling=Sampling(n=2), tools=STRICT, tool_choice=ToolChoice("required"), extra={"novel": ONE})
    with pytest.raises(Unsupported, match=r"support n, tool_choice, novel in"):
        refuse_or_drop(call)
    assert refuse_or_drop(call, drop_params=True) == chat(tools=STRICT)


@pytest.mark.parametrize(
    "call",
    [
        chat(),
        chat(Image(data="aGk=", media_type="image/png")),
        chat(sampling=Sampling(n=1, logit_bias=msgspec.Raw(b"{}"), temperature=1)),
        chat(tools=STRICT, tool_choice=ToolChoice("none"), parallel_tool_calls=False),
        chat(tool_choice=ToolChoice("auto"), reasoning=Reasoning("low"), response_format=ResponseFormat("json_object")),
        chat(extra=dict.fromkeys(sorted(OPTIONS | {"keep_alive", "num_ctx", "options", "format", "think"}), ONE)),
        chat(extra={"metadata": ONE, "tags": ONE, "num_retries": ONE}),
        chat(extra={"modalities": msgspec.Raw(b'["text"]')}),
    ],
)
def test_what_ollama_can_do_and_mere_hints_pass(call: Call) -> None:
    assert refuse_or_drop(call) == call


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (chat(Text("Hi"), Audio("aGk=", "wav")), "messages[0].content[1]"),
        (chat(File(data="aGk=")), "messages[0].content[0]"),
        (chat(extra={"modalities": msgspec.Raw(b'["text","audio"]')}), "modalities"),
        (chat(extra={"modalities": ONE}), "modalities"),
    ],
)
def test_content_is_never_dropped(call: Call, param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        refuse_or_drop(call, drop_params=True)
    assert caught.value.param == param


FULL = chat(
    sampling=Sampling(temperature=1, max_tokens=5),
    tools=STRICT,
    tool_choice=ToolChoice("required"),
    parallel_tool_calls=True,
    response_format=ResponseFormat("text"),
    reasoning=Reasoning("low"),
    extra={"novel": ONE},
)


def test_what_the_operator_names_is_dropped_in_any_case() -> None:
    names = ("temperature", "max_completion_tokens", "tools", "tool_choice", "parallel_tool_calls", "response_format")
    found = refuse_or_drop(FULL, additional=(*names, "thinking", "novel"))
    assert found == chat()


def test_a_long_name_is_cut_in_the_message() -> None:
    with pytest.raises(Unsupported) as caught:
        refuse_or_drop(chat(extra={"x" * 10_000: ONE}))
    assert len(caught.value.told()) < 300


def completion(*prompts: str, **fields: Any) -> CompletionCall:
    return CompletionCall("m", prompts or ("Hi",), **fields)


def test_a_completion_is_treated_alike() -> None:
    call = completion(sampling=Sampling(n=2, seed=1), echo=True, extra={"best_of": ONE, "raw": ONE})
    with pytest.raises(Unsupported, match="support n, echo, best_of"):
        refuse_or_drop_completion(call)
    dropped = completion(sampling=Sampling(seed=1), extra={"raw": ONE})
    assert refuse_or_drop_completion(call, drop_params=True) == dropped
    assert refuse_or_drop_completion(dropped) == dropped
    assert refuse_or_drop_completion(dropped, additional=("seed",)) == completion(extra={"raw": ONE})


def test_several_prompts_are_never_dropped() -> None:
    with pytest.raises(Unsupported, match="2 texts"):
        refuse_or_drop_completion(completion("a", "b"), drop_params=True)


def test_embeddings_are_treated_alike() -> None:
    call = EmbeddingCall("m", ("Hi",), 8, extra={"novel": ONE, "keep_alive": ONE})
    with pytest.raises(Unsupported, match="support novel"):
        refuse_or_drop_embedding(call)
    dropped = EmbeddingCall("m", ("Hi",), 8, extra={"keep_alive": ONE})
    assert refuse_or_drop_embedding(call, drop_params=True) == dropped
    assert refuse_or_drop_embedding(dropped) == dropped
    names = ("dimensions", "keep_alive")
    assert refuse_or_drop_embedding(dropped, additional=names) == EmbeddingCall("m", ("Hi",))


def test_token_ids_are_never_dropped() -> None:
    with pytest.raises(Unsupported) as caught:
        refuse_or_drop_embedding(EmbeddingCall("m", ((1, 2),)), drop_params=True)
    assert caught.value.param == "input"
