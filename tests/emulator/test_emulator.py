"""An emulator of the services that others wrote, behind the gateway: every SDK gets from every service what it says.

Our own scripted upstreams say what we believe of the services; this one says what somebody else does. Where it is
known to be wrong itself, the test says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.emulator.emulator import Emulator
from tests.emulator.sdks import SDKS, Failure, Sdk, opened
from tests.support.gateway import Gateway

pytestmark = pytest.mark.node

PLACES: Final = {
    "openai": ("openai/gpt-5", "/v1"),
    "azure": ("azure/gpt-5", ""),
    "anthropic": ("anthropic/claude-sonnet-4-5", ""),
    "gemini": ("gemini/gemini-2.5-flash", ""),
    "ollama": ("ollama_chat/llama3.1", ""),
    "cohere": ("cohere_chat/command-r", "/v2/chat"),
}
"""Where each model of the gateway is, and the path that its ``api_base`` ends with."""

FAULTS: Final = {
    "counts no tokens": {"ollama"},
    "always ends with stop": {"ollama"},
    "thinks in a field that the service does not have": {"ollama"},
    "thinks aloud": {"cohere"},
    "has no embeddings of many texts": {"gemini"},
    "answers the new route for embeddings in the form of the old one": {"ollama"},
}
"""Where the emulator is wrong: what it does there, and what the service does not do."""

_THINKS_WRONG: Final = FAULTS["thinks in a field that the service does not have"] | FAULTS["thinks aloud"]
_EMBEDS_WRONG: Final = (
    FAULTS["has no embeddings of many texts"]
    | FAULTS["answers the new route for embeddings in the form of the old one"]
)
THINKING: Final = [place for place in PLACES if place not in _THINKS_WRONG]
EMBEDDING: Final = [place for place in PLACES if place not in _EMBEDS_WRONG | {"anthropic"}]
"""Where thoughts and embeddings are asked for; Anthropic has no embeddings."""

CITIES: Final = [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]


class House:
    """A gateway before the emulator, and all SDKs before the gateway."""

    def __init__(self, gateway: Gateway, emulator: Emulator, sdks: dict[str, Sdk]) -> None:
        self.gateway = gateway
        self.emulator = emulator
        self.sdks = sdks


def _entry(name: str, url: str) -> dict[str, Any]:
    model, path = PLACES[name]
    params = {"model": model, "api_base": url + path, "api_key": "sk-up-0123456789", "max_retries": 0}
    if name == "azure":
        params["api_version"] = "2024-10-21"
    return {"model_name": name, "litellm_params": params}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with Emulator.running() as emulator:
        config = {
            "model_list": [_entry(name, emulator.url) for name in PLACES],
            "router_settings": {"num_retries": 0, "allowed_fails": 1000},
        }
        with Gateway.start(config) as gateway, opened(gateway, gateway.new_key()) as sdks:
            yield House(gateway, emulator, sdks)
            assert "Traceback (most recent call last)" not in gateway.output()


@pytest.fixture(params=[kind.name for kind in SDKS])
def sdk(house: House, request: pytest.FixtureRequest) -> Sdk:
    return house.sdks[request.param]


streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
everywhere = pytest.mark.parametrize("model", list(PLACES))
not_a_word_of_geminis = pytest.mark.filterwarnings("ignore:FUNCTION_CALL is not a valid FinishReason:UserWarning")


def calling(sdk: Sdk, model: str) -> str:
    """Why an answer with calls ended: the emulator has a word that Gemini lacks, and a relay changes no words."""
    return "FUNCTION_CALL" if sdk.name == model == "gemini" else "tools"


@streamed
@everywhere
def test_an_answer(sdk: Sdk, model: str, stream: bool) -> None:
    said = sdk.say(model, "greet", stream=stream)
    assert (said.text, said.finish) == ("Hello from the emulator, in a few pieces.", "stop")
    assert said.pieces > 1 or not stream
    if model not in FAULTS["counts no tokens"]:
        assert said.tokens == (11, 7)


@streamed
@everywhere
def test_an_answer_that_was_cut_short(sdk: Sdk, model: str, stream: bool) -> None:
    said = sdk.say(model, "length", stream=stream)
    assert said.text == "This goes on and"
    assert said.finish == ("stop" if model in FAULTS["always ends with stop"] else "length")


@not_a_word_of_geminis
@streamed
@everywhere
def test_parallel_tools_and_their_results(sdk: Sdk, model: str, stream: bool) -> None:
    said = sdk.uses_tools(model, "weather", stream=stream)
    assert [(name, arguments) for _, name, arguments in said.calls] == CITIES
    assert said.finish == calling(sdk, model)
    assert not sdk.gives_ids or len({number for number, _, _ in said.calls} - {""}) == len(CITIES)
    after = sdk.results(model, "weather", said)
    assert (after.text, after.calls, after.finish) == ("Sunny in both.", [], "stop")


@not_a_word_of_geminis
@streamed
@everywhere
def test_words_before_a_tool(sdk: Sdk, model: str, stream: bool) -> None:
    said = sdk.uses_tools(model, "both", stream=stream)
    assert (said.text, said.finish) == ("Let me look.", calling(sdk, model))
    assert [(name, arguments) for _, name, arguments in said.calls] == CITIES[:1]


@streamed
@everywhere
def test_an_answer_of_a_schema(sdk: Sdk, model: str, stream: bool) -> None:
    assert sdk.person(model, stream=stream) == {"name": "Ada", "age": 36}


@streamed
@pytest.mark.parametrize("model", THINKING)
def test_thoughts(sdk: Sdk, model: str, stream: bool) -> None:
    said = sdk.thinks(model, stream=stream)
    assert (said.text, said.thinking, said.finish) == ("It is four.", "Two and two are four.", "stop")


@streamed
@pytest.mark.parametrize(
    ("word", "status", "message"),
    [
        ("limit", 429, "Slow down"),
        ("broken", 502, "Something broke"),
        ("busy", 503, "Too busy"),
        ("refuse", 400, "This is not allowed"),
    ],
)
@everywhere
def test_an_error_before_the_answer(sdk: Sdk, model: str, word: str, status: int, message: str, stream: bool) -> None:
    with pytest.raises(Failure) as caught:
        sdk.say(model, word, stream=stream)
    if status == 503 and sdk.name == "anthropic_messages":
        status = 529  # Anthropic's own word for it: https://docs.anthropic.com/en/api/errors
    assert (caught.value.status, message in caught.value.message) == (status, True)
    if word == "limit" and sdk.name != "ollama":
        assert caught.value.retry_after == "7"


@streamed
@pytest.mark.parametrize("word", ["malformed", "hangup"])
@everywhere
def test_no_answer_at_all(sdk: Sdk, model: str, word: str, stream: bool) -> None:
    with pytest.raises(Failure) as caught:
        sdk.say(model, word, stream=stream)
    assert (caught.value.status, caught.value.seen) == (502, "")


@everywhere
def test_a_stream_that_is_cut_off_is_an_error_and_no_end(sdk: Sdk, model: str) -> None:
    with pytest.raises(Failure) as caught:
        sdk.say(model, "cut", stream=True)
    assert caught.value.seen.startswith("one two")


@pytest.mark.parametrize("model", EMBEDDING)
def test_embeddings(house: House, model: str) -> None:
    found = house.gateway.openai().embeddings.create(model=model, input=["embed this", "embed this too"])
    assert [(one.index, one.embedding) for one in found.data] == [(0, [0.5, -0.25, 1.0]), (1, [0.5, -0.25, 1.0])]
