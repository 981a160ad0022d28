"""Tools that only their own dialect knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.call import Call, Tool, WebSearch
from pointsman.core.content import Audio, Image, Message, Part, ServerToolUse, Text
from pointsman.core.errors import Unsupported
from pointsman.dialects.server_tools import message_in_words

__all__ = ["demand_known_tools", "with_own_code", "with_own_search", "without_foreign_tools"]

_GIVES_IMAGES: Final = frozenset({"gemini", "ollama"})
"""The dialects in which a turn of the model can have images."""

_KNOWS_SOUNDS: Final = "openai_chat"
"""The dialect in which a turn of the model can be a sound, by its name."""

_NAME_CHARACTERS_MAX: Final = 80

_GIVEN: Final = (ServerToolUse, Image, Audio)


def without_foreign_tools(call: Call, dialect: str, *, drop_params: bool = False) -> Call:
    """The request without tools that only another dialect's provider has, where it can do without them.

    Agents offer what their own provider has (Codex: a web search) beside functions of their own, whoever answers; a
    model that is not offered it does not use it. A request that has nothing else, or insists on such a tool, is left
    as it is, unless the operator allows dropping. What such tools did earlier in the conversation is told in words.
    """
    call = _retold(call, dialect)
    if not call.tools:
        return call
    foreign = {tool.name for tool in call.tools if tool.native and tool.dialect != dialect and tool.parameters is None}
    if not foreign:
        return call
    choice = call.tool_choice
    insists = choice is not None and choice.mode == "named" and choice.name in foreign
    if insists or (len(foreign) == len(call.tools) and not drop_params):
        return call
    left = tuple(tool for tool in call.tools if tool.name not in foreign)
    return msgspec.structs.replace(call, tools=left, tool_choice=choice if left else None)


def _retold(call: Call, dialect: str) -> Call:
    """The request with what its model gave earlier in a form that ``dialect`` has for the model's own turns.

    Raises:
        Unsupported: it is a sound of which there is only a name.
    """
    if not _has_given(call):
        return call
    messages = tuple(message_in_words(message, dialect) for message in call.messages)
    if dialect != _KNOWS_SOUNDS:
        messages = tuple(_sounds_in_words(message, index) for index, message in enumerate(messages))
    return msgspec.structs.replace(call, messages=messages if dialect in _GIVES_IMAGES else _images_shown(messages))


def _has_given(call: Call) -> bool:
    """Whether the model gave something before that not every dialect has a form for."""
    for message in call.messages:
        for part in message.parts:
            if isinstance(part, _GIVEN) and (message.role == "assistant" or isinstance(part, ServerToolUse)):
                return True
    return False


def _sounds_in_words(message: Message, index: int) -> Message:
    """The message with what the model said aloud as text, which all of them know."""
    if message.role != "assistant" or not any(isinstance(part, Audio) for part in message.parts):
        return message
    parts: list[Part] = []
    for part in message.parts:
        if not isinstance(part, Audio) or (part.data and not part.transcript):
            parts.append(part)
        elif part.transcript:
            parts.append(Text(part.transcript))
        else:
            place = f"messages[{index}].audio"
            raise Unsupported(
                f"{place} names a sound that only the provider which gave it can find.",
                hint="Send the whole message with its transcript, or ask a model of that provider.",
                param=f"{place}.id",
            )
    return msgspec.structs.replace(message, parts=tuple(parts) or (Text(""),))


def _images_shown(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages with the images of the model's turns before what the user says next: it cannot have them itself."""
    told: list[Message] = []
    held: tuple[Part, ...] = ()
    for message in messages:
        parts = message.parts
        if message.role == "user" and held:
            parts, held = (*held, *parts), ()
        elif message.role == "assistant":
            held += tuple(part for part in parts if isinstance(part, Image))
            parts = tuple(part for part in parts if not isinstance(part, Image)) or (Text(""),)
        told.append(message if parts == message.parts else msgspec.structs.replace(message, parts=parts))
    return (*told, Message("user", held)) if held else tuple(told)


def with_own_code(call: Call, own: Tool) -> Call:
    """The request with the tools of other dialects that run code as ``own``."""
    if not call.tools:
        return call
    renamed = {tool.name for tool in call.tools if tool.runs_code and tool.dialect != own.dialect}
    if not renamed:
        return call
    tools = [tool for tool in call.tools if tool.name not in renamed]
    if not any(tool.runs_code for tool in tools):
        tools.append(own)
    choice = call.tool_choice
    if choice is not None and choice.name in renamed:
        choice = msgspec.structs.replace(choice, name=own.name)
    return msgspec.structs.replace(call, tools=tuple(tools), tool_choice=choice)


def with_own_search(call: Call, dialect: str, name: str, write: Callable[[WebSearch], msgspec.Raw]) -> Call:
    """The request with the searches of other dialects as the one that ``dialect`` has under ``name``."""
    if not call.tools:
        return call
    renamed = {tool.name for tool in call.tools if tool.search is not None and tool.dialect != dialect}
    if not renamed:
        return call
    tools: list[Tool] = []
    for tool in call.tools:
        if tool.search is None or tool.dialect == dialect:
            tools.append(tool)
        elif not any(one.search is not None for one in tools):
            tools.append(Tool(name, native=write(tool.search), dialect=dialect, search=tool.search))
    choice = call.tool_choice
    if choice is not None and choice.name in renamed:
        choice = msgspec.structs.replace(choice, name=name)
    return msgspec.structs.replace(call, tools=tuple(tools), tool_choice=choice)


def demand_known_tools(call: Call, dialect: str) -> None:
    """Raise where a tool of another dialect has no form in ``dialect``.

    Raises:
        Unsupported: the message names the tool.
    """
    for position, tool in enumerate(call.tools):
        if tool.native is not None and tool.dialect != dialect and tool.parameters is None:
            raise Unsupported(
                f"The tool {tool.name[:_NAME_CHARACTERS_MAX]!r} is one that only its own provider knows.",
                hint="Leave it out, or ask a model of that provider.",
                param=f"tools[{position}]",
            )
