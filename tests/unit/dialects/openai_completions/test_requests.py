from __future__ import annotations

import json

import msgspec
import pytest

from pointsman.core.call import CompletionCall, Sampling
from pointsman.core.errors import GatewayError, Malformed, Unsupported
from pointsman.dialects.openai_completions.requests import read_request


def read(**fields: object) -> CompletionCall:
    return read_request(json.dumps({"model": "m", "prompt": "Hi", **fields}).encode())


def test_every_field_is_read() -> None:
    call = read(
        suffix="!", echo=True, stream=True, stream_options={"include_usage": True}, temperature=1, top_p=0.5, top_k=3,
        min_p=0.1, seed=7, stop="x", presence_penalty=1, frequency_penalty=-1, max_tokens=9, n=2, logprobs=3,
        logit_bias={"5": 1}, user="u", best_of=2, keep_alive="5m", nothing=None,
    )  # fmt: skip
    assert call == CompletionCall(
        model="m",
        prompts=("Hi",),
        sampling=Sampling(
            temperature=1, top_p=0.5, top_k=3, min_p=0.1, seed=7, stop=("x",), presence_penalty=1,
            frequency_penalty=-1, max_tokens=9, n=2, logprobs=True, top_logprobs=3,
            logit_bias=msgspec.Raw(b'{"5": 1}'),
        ),
        suffix="!",
        echo=True,
        stream=True,
        include_usage=True,
        user="u",
        extra={"keep_alive": msgspec.Raw(b'"5m"')},
    )  # fmt: skip


def test_little_said_is_little_read() -> None:
    assert read() == CompletionCall("m", ("Hi",))
    assert read(max_tokens=-1, stop=[], logprobs=None, suffix="") == CompletionCall("m", ("Hi",))


def test_several_prompts_are_kept_apart() -> None:
    assert read(prompt=["a", "b"]).prompts == ("a", "b")


def test_best_of_is_kept_where_it_asks_for_more() -> None:
    assert read(n=2, best_of=3).extra == {"best_of": msgspec.Raw(b"3")}


def test_the_model_in_the_path_wins() -> None:
    assert read_request(b'{"prompt":"Hi"}', "azure").model == "azure"
    with pytest.raises(Malformed, match="model is required"):
        read_request(b'{"prompt":"Hi"}')


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"prompt": [1, 2]}, Unsupported, "prompt"),
        ({"prompt": [[1], [2]]}, Unsupported, "prompt"),
        ({"prompt": ["a", 1]}, Unsupported, "prompt"),
        ({"prompt": []}, Malformed, "prompt"),
        ({"prompt": None}, Malformed, "prompt"),
        ({"stop": ["a", ""]}, Malformed, "stop"),
        ({"logprobs": True}, Malformed, "logprobs"),
        ({"temperature": 3}, Malformed, "temperature"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], kind: type[GatewayError], param: str) -> None:
    with pytest.raises(kind) as caught:
        read(**fields)
    assert caught.value.param == param
