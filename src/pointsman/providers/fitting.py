"""Fits OpenAI requests to the habits of one service, as its row in ``compatible.toml`` tells them.

What a deployment's service needs is computed once, when its lane is made; a service without habits has no fitting.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.dialects.droppable import demand_droppable
from pointsman.providers.registry import Habits, find_provider
from pointsman.providers.thinking import fit_thinking

__all__ = ["Fitting", "embedding_fitting_for", "fitting_for"]

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_messages: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

_NULL: Final = msgspec.Raw(b"null")
_NO_TEXT: Final = msgspec.Raw(b'""')
_SAYS_NOTHING: Final = frozenset({b"null", b"false", b"{}", b"[]", b'""'})
_DEFAULTS: Final = frozenset({
    ("n", b"1"), ("frequency_penalty", b"0"), ("frequency_penalty", b"0.0"), ("presence_penalty", b"0"),
    ("presence_penalty", b"0.0"), ("tool_choice", b'"none"'),
})  # fmt: skip
"""Knobs in the position that they have when nobody touches them, as many clients send them."""
_ASSISTANT: Final = msgspec.Raw(b'"assistant"')
_DEVELOPER: Final = msgspec.Raw(b'"developer"')
_SYSTEM: Final = msgspec.Raw(b'"system"')
_NO_REASONING: Final = msgspec.Raw(b'" "')
"""What LiteLLM sends for reasoning that nobody has kept: DeepSeek and Moonshot refuse an empty text."""

_THOUGHT: Final = b'"reasoning_content"'
_BLOCKS: Final = b'"thinking_blocks"'
_CALLS: Final = b'"tool_calls"'
_SWITCHED_OFF: Final = b'"disabled"'
_WISHES: Final = frozenset({"reasoning", "reasoning_effort", "thinking"})


class Fitting:
    """Writes the body for one service: what it has other names for renamed, what it refuses dropped or refused."""

    def __init__(
        self,
        habits: Habits,
        *,
        title: str,
        model: str,
        drop_params: bool,
        capabilities: frozenset[str] = frozenset(),
    ) -> None:
        by_model = [
            name for pattern, names in habits.refuses_by_model.items() if fnmatchcase(model, pattern) for name in names
        ]
        self._renames = tuple(habits.renames.items())
        self._drops = habits.drops
        self._refuses = frozenset((*habits.refuses, *by_model))
        self._title = title
        self._drop_params = drop_params
        self._reasons = "reasoning" in capabilities
        self._may_reason = self._reasons or not capabilities
        self._habits = habits
        self._marks = _marks(habits)

    def write(self, fields: dict[str, msgspec.Raw]) -> bytes:
        """The body; ``fields`` are taken over and changed.

        Raises:
            Unsupported: the service has no such knob, and nobody allowed dropping it; the message names it.
        """
        for name, other in self._renames:
            value = fields.pop(name, None)
            if value is not None and (value != _NULL or other not in fields):
                fields[other] = value
        for name in self._drops:
            fields.pop(name, None)
        if not self._refuses.isdisjoint(fields):
            self._refuse(fields)
        if self._habits.thinking and not _WISHES.isdisjoint(fields):
            fit_thinking(
                fields,
                self._habits,
                title=self._title,
                may_reason=self._may_reason,
                drop_params=self._drop_params,
            )
        body = _encode(fields)
        # What is in the messages is looked for in the bytes, since hardly any request has it.
        for mark in self._marks:
            if mark in body:
                fields["messages"] = self._messages(fields)
                return _encode(fields)
        return body

    def rewrite(self, body: bytes) -> bytes:
        """The same for a body that was already written."""
        return self.write(_decode_fields(body))

    def _refuse(self, fields: dict[str, msgspec.Raw]) -> None:
        given = [name for name in fields if name in self._refuses and _is_said(name, bytes(fields[name]))]
        if given:
            demand_droppable(self._title, given, drop_params=self._drop_params)
        for name in self._refuses:
            fields.pop(name, None)

    def _messages(self, fields: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
        thinks = _SWITCHED_OFF not in bytes(fields.get("thinking", b""))
        messages = [self._message(raw, thinks=thinks) for raw in _decode_messages(fields["messages"])]
        return msgspec.Raw(_encode(messages))

    def _message(self, raw: msgspec.Raw, *, thinks: bool) -> msgspec.Raw:
        text = bytes(raw)
        if not any(mark in text for mark in self._marks):
            return raw
        try:
            message = _decode_fields(raw)
        except msgspec.MsgspecError:
            return raw  # the service says itself what is wrong with it
        role = message.get("role")
        if role == _DEVELOPER and not self._habits.developer_role:
            message["role"] = _SYSTEM
        elif role == _ASSISTANT:
            self._fit_reasoning(message, thinks=thinks)
        return msgspec.Raw(_encode(message))

    def _fit_reasoning(self, message: dict[str, msgspec.Raw], *, thinks: bool) -> None:
        habits = self._habits
        if habits.reasoning != "reasoning_content":
            message.pop("thinking_blocks", None)
            thought = message.pop("reasoning_content", None)
            if habits.reasoning == "none" or (habits.thinking == "effort" and not self._reasons):
                # Groq and Cerebras refuse it for models that do not reason.
                message.pop("reasoning", None)
            elif thought is not None:
                message.setdefault("reasoning", thought)
        elif habits.reasoning_required and thinks and message.get("tool_calls", _NULL) != _NULL:
            thought = message.get("reasoning_content")
            if thought in (None, _NULL, _NO_TEXT):
                message["reasoning_content"] = message.get("reasoning", _NO_REASONING)


def fitting_for(deployment: Deployment) -> Fitting | None:
    """The fitting for chats of a deployment's service; None where there is nothing to fit."""
    provider = find_provider(deployment.provider)
    return None if provider is None else _fitting(provider.chat, provider.title, deployment)


def embedding_fitting_for(deployment: Deployment) -> Fitting | None:
    """The same for embeddings, which have no roles."""
    provider = find_provider(deployment.provider)
    if provider is None:
        return None
    return _fitting(msgspec.structs.replace(provider.embedding, developer_role=True), provider.title, deployment)


def _fitting(habits: Habits, title: str, deployment: Deployment) -> Fitting | None:
    if habits == Habits(developer_role=True):
        return None
    return Fitting(
        habits,
        title=title,
        model=deployment.model,
        drop_params=deployment.drop_params,
        capabilities=deployment.capabilities,
    )


def _is_said(name: str, value: bytes) -> bool:
    """Whether a knob asks for anything."""
    return value not in _SAYS_NOTHING and (name, value) not in _DEFAULTS


def _marks(habits: Habits) -> tuple[bytes, ...]:
    """What a message has in it that has to be changed; a body without any of these is left alone."""
    marks = [] if habits.developer_role else [bytes(_DEVELOPER)]
    if habits.reasoning != "reasoning_content":
        marks += [_THOUGHT, _BLOCKS]
    if habits.reasoning != "reasoning_content" and habits.thinking in {"", "effort"}:
        marks.append(b'"reasoning"')
    if habits.reasoning_required:
        marks.append(_CALLS)
    return tuple(marks)
