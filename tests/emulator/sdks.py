"""The official SDKs, all asked in the same way, and what each of them shows its user in the same words."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import anthropic
import msgspec
import ollama
import openai
from google import genai
from google.genai import errors, types
from openai.lib.streaming.chat import ChatCompletionStreamState

from tests.support.gateway import Gateway

__all__ = ["SDKS", "Failure", "Said", "Sdk"]

SCHEMA: Final = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
_CITY: Final = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_TOOL: Final[dict[str, Any]] = {"name": "get_weather", "description": "The weather of a city", "parameters": _CITY}
_SECONDS: Final = 15.0
_LIMIT: Final = 64
_FINISH: Final = {
    "stop": "stop",
    "completed": "stop",
    "end_turn": "stop",
    "STOP": "stop",
    "tool_calls": "tools",
    "tool_use": "tools",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "MAX_TOKENS": "length",
}


class Said(msgspec.Struct):
    """An answer: its text, thoughts, calls (id, name, arguments), why it ended, tokens in and out, and all of it."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, str, Any]] = []
    finish: str = ""
    tokens: tuple[int, int] = (0, 0)
    pieces: int = 1
    whole: Any = None


class Failure(Exception):  # what it is called where it is caught
    """What an SDK raised: the status (0 once a stream was open), the message, ``Retry-After``, and the text before."""

    def __init__(self, status: int, message: str, retry_after: str | None, seen: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.seen = seen


class Sdk(ABC):
    """One of them.

    Attributes:
        seen: The text of the stream that is being read.
        shows_thoughts: Ask to see them, where they are only shown on request.
    """

    name: ClassVar[str]
    gives_ids: ClassVar[bool] = True
    raised: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, gateway: Gateway, key: str) -> None:
        self.gateway = gateway
        self.key = key
        self.seen = ""
        self.shows_thoughts = False

    def say(self, model: str, word: str, *, stream: bool = False) -> Said:
        """The answer to a word."""
        return self._asked(model, [self.user(word)], stream=stream)

    def thinks(self, model: str, *, stream: bool = False) -> Said:
        """The answer to ``think``, thoughts included."""
        self.shows_thoughts = True
        try:
            return self.say(model, "think", stream=stream)
        finally:
            self.shows_thoughts = False

    def uses_tools(self, model: str, word: str, *, stream: bool = False) -> Said:
        """The calls that the model makes."""
        return self._asked(model, [self.user(word)], stream=stream, tools=True)

    def results(self, model: str, word: str, said: Said) -> Said:
        """What the model says to the results of its calls."""
        return self._asked(model, [self.user(word), *self.after(said)], stream=False, tools=True)

    def person(self, model: str, *, stream: bool = False) -> Any:
        """An answer in the form of ``SCHEMA``."""
        return json.loads(self._asked(model, [self.user("person")], stream=stream, schema=True).text)

    def _asked(self, model: str, turns: list[Any], *, stream: bool, tools: bool = False, schema: bool = False) -> Said:
        self.seen = ""
        try:
            said = (self.stream if stream else self.whole)(model, turns, tools, schema)
        except self.raised as error:
            raise self.failure(error) from error
        said.finish = _FINISH.get(said.finish, said.finish)
        return said

    def failure(self, error: Any) -> Failure:
        """What an exception of the SDK says."""
        response = getattr(error, "response", None)
        header = None if response is None else response.headers.get("retry-after")
        return Failure(getattr(error, "status_code", 0), str(error), header, self.seen)

    def user(self, text: str) -> Any:
        """A turn of the user."""
        return {"role": "user", "content": text}

    @abstractmethod
    def whole(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        """An answer that is not streamed."""

    @abstractmethod
    def stream(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        """An answer put together from its pieces."""

    @abstractmethod
    def after(self, said: Said) -> list[Any]:
        """The turns that follow an answer: itself, and ``sunny`` for each call."""

    @abstractmethod
    def close(self) -> None:
        """Leave no connection open."""


class OpenAIChat(Sdk):
    """``openai``, Chat Completions."""

    name = "openai_chat"
    raised = (openai.APIError,)

    def __init__(self, gateway: Gateway, key: str) -> None:
        super().__init__(gateway, key)
        self.sdk = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0, timeout=_SECONDS)

    def _fields(self, tools: bool, schema: bool) -> dict[str, Any]:
        wanted = {"name": "person", "schema": SCHEMA, "strict": True}
        fields: dict[str, Any] = {"tools": [{"type": "function", "function": _TOOL}]} if tools else {}
        return {**fields, **({"response_format": {"type": "json_schema", "json_schema": wanted}} if schema else {})}

    def whole(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        return self._said(self.sdk.chat.completions.create(model=model, messages=turns, **self._fields(tools, schema)))

    def stream(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        # The SDK's own helper raises where an answer was cut short; its state does not.
        state = ChatCompletionStreamState()
        pieces = 0
        fields: Any = {**self._fields(tools, schema), "stream_options": {"include_usage": True}}
        chunks = self.sdk.chat.completions.create(model=model, messages=turns, stream=True, **fields)
        for chunk in chunks:
            state.handle_chunk(chunk)
            self.seen += "".join(choice.delta.content or "" for choice in chunk.choices)
            pieces += 1
        said = self._said(state.current_completion_snapshot)
        said.pieces = pieces
        return said

    def _said(self, completion: Any) -> Said:
        choice, usage = completion.choices[0], completion.usage
        message = choice.message
        return Said(
            text=message.content or "",
            thinking=getattr(message, "reasoning_content", None) or "",
            calls=[(c.id, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or ()],
            finish=choice.finish_reason,
            tokens=(usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0),
            whole=message.model_dump(exclude_none=True, exclude={"parsed"}),
        )

    def after(self, said: Said) -> list[Any]:
        results = [{"role": "tool", "tool_call_id": number, "content": "sunny"} for number, _, _ in said.calls]
        for call in said.whole["tool_calls"]:
            call["function"].pop("parsed_arguments", None)
        return [said.whole, *results]

    def close(self) -> None:
        self.sdk.close()


class OpenAIResponses(Sdk):
    """``openai``, Responses."""

    name = "openai_responses"
    raised = (openai.APIError,)

    def __init__(self, gateway: Gateway, key: str) -> None:
        super().__init__(gateway, key)
        self.sdk = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0, timeout=_SECONDS)

    def _fields(self, tools: bool, schema: bool) -> dict[str, Any]:
        wanted = {"type": "json_schema", "name": "person", "schema": SCHEMA, "strict": True}
        fields: dict[str, Any] = {"tools": [{"type": "function", "strict": False, **_TOOL}]} if tools else {}
        return {**fields, **({"text": {"format": wanted}} if schema else {})}

    def whole(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        return self._said(self.sdk.responses.create(model=model, input=turns, **self._fields(tools, schema)))

    def stream(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        final: Any = None
        pieces = 0
        for event in self.sdk.responses.create(model=model, input=turns, stream=True, **self._fields(tools, schema)):
            if event.type == "response.output_text.delta":
                self.seen += event.delta
                pieces += 1
            elif event.type in {"response.completed", "response.incomplete"}:
                final = event.response
            elif event.type == "response.failed":
                raise Failure(0, event.response.error.message, None, self.seen)
            elif event.type == "error":
                raise Failure(0, event.message, None, self.seen)
        said = self._said(final)
        assert self.seen == said.text
        said.pieces = pieces
        return said

    def _said(self, response: Any) -> Said:
        if response.status == "failed":
            raise Failure(0, response.error.message, None, "")
        calls = [item for item in response.output if item.type == "function_call"]
        thoughts = [item for item in response.output if item.type == "reasoning"]
        reason = response.incomplete_details.reason if response.status == "incomplete" else response.status
        return Said(
            text=response.output_text,
            thinking="".join(part.text for item in thoughts for part in item.summary or item.content or ()),
            calls=[(call.call_id, call.name, json.loads(call.arguments)) for call in calls],
            finish="tool_calls" if calls else reason,
            tokens=(response.usage.input_tokens, response.usage.output_tokens) if response.usage else (0, 0),
            whole=response.output,
        )

    def after(self, said: Said) -> list[Any]:
        results = [{"type": "function_call_output", "call_id": call[0], "output": "sunny"} for call in said.calls]
        return [*said.whole, *results]

    def close(self) -> None:
        self.sdk.close()


class AnthropicMessages(Sdk):
    """``anthropic``, Messages."""

    name = "anthropic_messages"
    raised = (anthropic.APIError,)

    def __init__(self, gateway: Gateway, key: str) -> None:
        super().__init__(gateway, key)
        self.sdk = anthropic.Anthropic(base_url=gateway.url, api_key=key, max_retries=0, timeout=_SECONDS)

    def _fields(self, tools: bool, schema: bool) -> dict[str, Any]:
        tool = {"name": _TOOL["name"], "description": _TOOL["description"], "input_schema": _CITY}
        wanted = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}} if schema else {}
        return {"max_tokens": _LIMIT, **({"tools": [tool]} if tools else {}), **wanted}

    def whole(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        return self._said(self.sdk.messages.create(model=model, messages=turns, **self._fields(tools, schema)))

    def stream(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        pieces = 0
        with self.sdk.messages.stream(model=model, messages=turns, **self._fields(tools, schema)) as stream:
            for text in stream.text_stream:
                self.seen += text
                pieces += 1
            said = self._said(stream.get_final_message())
        said.pieces = pieces
        return said

    def _said(self, message: Any) -> Said:
        blocks = message.content
        return Said(
            text="".join(block.text for block in blocks if block.type == "text"),
            thinking="".join(block.thinking for block in blocks if block.type == "thinking"),
            calls=[(block.id, block.name, block.input) for block in blocks if block.type == "tool_use"],
            finish=message.stop_reason,
            tokens=(message.usage.input_tokens, message.usage.output_tokens),
            whole=[block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in blocks],
        )

    def after(self, said: Said) -> list[Any]:
        results = [{"type": "tool_result", "tool_use_id": call[0], "content": "sunny"} for call in said.calls]
        return [{"role": "assistant", "content": said.whole}, {"role": "user", "content": results}]

    def close(self) -> None:
        self.sdk.close()


class Gemini(Sdk):
    """``google-genai``."""

    name = "gemini"
    raised = (errors.APIError,)

    def __init__(self, gateway: Gateway, key: str) -> None:
        super().__init__(gateway, key)
        options = types.HttpOptions(base_url=gateway.url, timeout=int(_SECONDS * 1000))
        self.sdk = genai.Client(api_key=key, http_options=options)

    def user(self, text: str) -> Any:
        return types.Content(role="user", parts=[types.Part(text=text)])

    def _config(self, tools: bool, schema: bool) -> types.GenerateContentConfig:
        declared = types.FunctionDeclaration(
            name=_TOOL["name"], description=_TOOL["description"], parameters_json_schema=_CITY
        )
        tool: list[Any] = [types.Tool(function_declarations=[declared])]
        return types.GenerateContentConfig(
            tools=tool if tools else None,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            response_mime_type="application/json" if schema else None,
            response_json_schema=SCHEMA if schema else None,
            thinking_config=types.ThinkingConfig(include_thoughts=True) if self.shows_thoughts else None,
        )

    def whole(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        config = self._config(tools, schema)
        return self._said([self.sdk.models.generate_content(model=model, contents=turns, config=config)])

    def stream(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        pieces = []
        config = self._config(tools, schema)
        for piece in self.sdk.models.generate_content_stream(model=model, contents=turns, config=config):
            pieces.append(piece)
            self.seen += self._said([piece]).text
        return self._said(pieces)

    def _said(self, pieces: list[Any]) -> Said:
        candidates = [candidate for piece in pieces for candidate in piece.candidates or ()]
        parts = [part for one in candidates if one.content for part in one.content.parts or ()]
        calls = [part.function_call for part in parts if part.function_call]
        reasons = [candidate.finish_reason.value for candidate in candidates if candidate.finish_reason]
        usages = [piece.usage_metadata for piece in pieces if piece.usage_metadata]
        counts = usages[-1] if usages else None
        return Said(
            text="".join(part.text for part in parts if part.text and not part.thought),
            thinking="".join(part.text for part in parts if part.text and part.thought),
            calls=[(call.id or "", call.name, call.args) for call in calls],
            finish="tool_calls" if calls and reasons == ["STOP"] else "".join(reasons),
            tokens=(counts.prompt_token_count or 0, counts.candidates_token_count or 0) if counts else (0, 0),
            pieces=len(pieces),
            whole=parts,
        )

    def after(self, said: Said) -> list[Any]:
        results = [
            types.Part(function_response=types.FunctionResponse(name=name, id=number, response={"result": "sunny"}))
            for number, name, _ in said.calls
        ]
        return [types.Content(role="model", parts=said.whole), types.Content(role="user", parts=results)]

    def failure(self, error: Any) -> Failure:
        failure = super().failure(error)
        failure.status = 0 if self.seen else error.code
        return failure

    def close(self) -> None:
        self.sdk.close()


class Ollama(Sdk):
    """``ollama``."""

    name = "ollama"
    gives_ids = False
    raised = (ollama.ResponseError,)

    def __init__(self, gateway: Gateway, key: str) -> None:
        super().__init__(gateway, key)
        self.sdk = ollama.Client(host=gateway.url, headers={"Authorization": f"Bearer {key}"}, timeout=_SECONDS)

    def _fields(self, tools: bool, schema: bool) -> dict[str, Any]:
        fields: dict[str, Any] = {"tools": [{"type": "function", "function": _TOOL}]} if tools else {}
        return {**fields, **({"format": SCHEMA} if schema else {})}

    def whole(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        return self._said([self.sdk.chat(model=model, messages=turns, **self._fields(tools, schema))])

    def stream(self, model: str, turns: list[Any], tools: bool, schema: bool) -> Said:
        lines = []
        for line in self.sdk.chat(model=model, messages=turns, stream=True, **self._fields(tools, schema)):
            lines.append(line)
            self.seen += line.message.content or ""
        return self._said(lines)

    def _said(self, lines: list[Any]) -> Said:
        last = lines[-1]
        assert last.done
        calls = [call.function for line in lines for call in line.message.tool_calls or ()]
        return Said(
            text="".join(line.message.content or "" for line in lines),
            thinking="".join(line.message.thinking or "" for line in lines),
            calls=[("", call.name, dict(call.arguments)) for call in calls],
            finish="tool_calls" if calls and last.done_reason == "stop" else last.done_reason,
            tokens=(last.prompt_eval_count or 0, last.eval_count or 0),
            pieces=len(lines),
            whole=[call for line in lines for call in line.message.tool_calls or ()],
        )

    def after(self, said: Said) -> list[Any]:
        results = [{"role": "tool", "tool_name": name, "content": "sunny"} for _, name, _ in said.calls]
        return [{"role": "assistant", "content": said.text, "tool_calls": said.whole}, *results]

    def failure(self, error: Any) -> Failure:
        return Failure(0 if self.seen else error.status_code, str(error), None, self.seen)

    def close(self) -> None:
        self.sdk._client.close()


@contextmanager
def opened(gateway: Gateway, key: str) -> Iterator[dict[str, Sdk]]:
    """All of them, by name."""
    sdks = {kind.name: kind(gateway, key) for kind in SDKS}
    try:
        yield sdks
    finally:
        for sdk in sdks.values():
            sdk.close()


SDKS: Final[tuple[type[Sdk], ...]] = (OpenAIChat, OpenAIResponses, AnthropicMessages, Gemini, Ollama)
