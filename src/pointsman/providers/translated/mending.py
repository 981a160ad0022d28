"""``modify_params``: a request that a provider would refuse for its form is mended, where the operator allows it.

What is mended is what LiteLLM mends (https://docs.litellm.ai/docs/completion/message_sanitization,
https://docs.litellm.ai/docs/completion/function_call): a conversation has to begin with the user and say something;
each call of a tool needs its result, and no result may lack its call; who speaks of tools must bring some; thinking
cannot go on behind a call that was made without; no more may be asked for than the model can answer. Only for providers
with a dialect of their own: OpenAI's family and Ollama take such requests as they are.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, Tool
from pointsman.core.content import Message, Part, Text, Thinking, ToolCall, ToolResult
from pointsman.core.upstream import Deployment
from pointsman.providers.registry import find_provider

__all__ = ["mended", "mends"]

_GO_ON: Final = "Please continue."
_SAID_NOTHING: Final = "[System: Empty message content sanitised to satisfy protocol]"
_NO_RESULT: Final = "[System: No result was provided for this tool call]"
_INSTRUCTIONS: Final = frozenset({"system", "developer"})
_DUMMY_TOOL: Final = Tool("dummy_tool", "This is a dummy tool call", msgspec.Raw(b'{"type":"object","properties":{}}'))


def mends(deployment: Deployment) -> bool:
    """Whether requests for this deployment are mended."""
    provider = find_provider(deployment.provider)
    return deployment.modify_params and provider is not None and provider.native not in {None, "ollama"}


def mended(call: Call, deployment: Deployment) -> Call:
    """The request in a form that is not refused."""
    messages = _begun_by_user(_with_words(_with_pairs(call.messages)))
    calls = [part for message in messages for part in message.parts if isinstance(part, ToolCall | ToolResult)]
    limit, most = call.sampling.max_tokens, deployment.output_tokens_max
    sampling = call.sampling
    if limit is not None and most is not None and limit > most:
        sampling = msgspec.structs.replace(sampling, max_tokens=most)
    return msgspec.structs.replace(
        call,
        messages=messages,
        sampling=sampling,
        tools=(_DUMMY_TOOL,) if calls and not call.tools else call.tools,
        reasoning=None if call.reasoning is not None and _broke_off_thinking(messages) else call.reasoning,
    )


def _with_pairs(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Calls with a result each, and results with a call each."""
    results = {part.call_id for message in messages for part in message.parts if isinstance(part, ToolResult)}
    called: set[str] = set()
    found: list[Message] = []
    for message in messages:
        kept = tuple(part for part in message.parts if not isinstance(part, ToolResult) or part.call_id in called)
        if kept or not message.parts:
            found.append(msgspec.structs.replace(message, parts=kept))
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        called |= {one.id for one in calls}
        missing = tuple(ToolResult(one.id, (Text(_NO_RESULT),), one.name) for one in calls if one.id not in results)
        if missing:
            found.append(Message("tool", missing))
    return tuple(found)


def _with_words(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """No turn of user or assistant is empty."""
    return tuple(
        message
        if message.role not in {"user", "assistant"} or any(_says_something(part) for part in message.parts)
        else msgspec.structs.replace(message, parts=(Text(_SAID_NOTHING),))
        for message in messages
    )


def _says_something(part: Part) -> bool:
    return not isinstance(part, Text) or bool(part.text.strip())


def _begun_by_user(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    place = next((index for index, message in enumerate(messages) if message.role not in _INSTRUCTIONS), len(messages))
    if place < len(messages) and messages[place].role != "assistant":
        return messages
    return (*messages[:place], Message("user", (Text(_GO_ON),)), *messages[place:])


def _broke_off_thinking(messages: tuple[Message, ...]) -> bool:
    """Whether the last turn that calls a tool holds no reasoning: then none may be asked for behind it."""
    for message in reversed(messages):
        if any(isinstance(part, ToolCall) for part in message.parts):
            return not any(isinstance(part, Thinking) and part.signature for part in message.parts)
    return False
