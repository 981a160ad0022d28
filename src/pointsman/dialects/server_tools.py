"""What tools that a provider ran itself did, in words, for dialects that have no place for it.

Code and its output stand there as fenced blocks of text; of a search only its sources are left, which are citations.
Sources that count in the characters of the text are moved behind what is inserted so.
"""

from __future__ import annotations

import msgspec

from pointsman.core.content import Citation, Message, Part, ServerToolUse, Text
from pointsman.core.events import Cited, PartGiven, TextDelta
from pointsman.core.reply import Choice, Said

__all__ = ["InWords", "choice_in_words", "in_words", "message_in_words"]


def in_words(use: ServerToolUse) -> str:
    """The code, and what it gave; empty where the tool did something else."""
    if use.kind != "code":
        return ""
    code = f"\n```{(use.language or '').lower()}\n{use.input}\n```\n" if use.input else ""
    return code if use.output is None else f"{code}\n```\n{use.output}\n```\n"


class InWords:
    """Text in place of what tools did, as an answer happens."""

    __slots__ = ("_inserted",)

    def __init__(self) -> None:
        self._inserted: dict[int, list[tuple[int, int]]] = {}

    def take(self, event: PartGiven | Cited) -> TextDelta | PartGiven | Cited | None:
        """What is told in its place; None: nothing."""
        if isinstance(event, Cited):
            inserted = self._inserted.get(event.choice)
            return event if inserted is None else Cited(_moved(event.citation, inserted), event.choice)
        if not isinstance(event.part, ServerToolUse):
            return event
        words = in_words(event.part)
        if not words:
            return None
        self._inserted.setdefault(event.choice, []).append((event.part.at, len(words)))
        return TextDelta(words, event.choice)


def choice_in_words(choice: Choice) -> Choice:
    """The same of a whole answer; texts that come to stand beside each other become one."""
    uses = [part for part in choice.parts if isinstance(part, ServerToolUse)]
    if not uses:
        return choice
    inserted = [(use.at, len(words)) for use in uses if (words := in_words(use))]
    parts: list[Said] = []
    for part in choice.parts:
        said = Text(in_words(part)) if isinstance(part, ServerToolUse) else part
        last = parts[-1] if parts else None
        if isinstance(said, Text) and isinstance(last, Text):
            parts[-1] = Text(last.text + said.text)
        elif said != Text(""):
            parts.append(said)
    citations = tuple(_moved(one, inserted) for one in choice.citations)
    return msgspec.structs.replace(choice, parts=tuple(parts), citations=citations)


def message_in_words(message: Message, dialect: str) -> Message:
    """The same of a message of a conversation; what tools of ``dialect`` itself did stays as it is."""
    parts: list[Part] = []
    for part in message.parts:
        if not isinstance(part, ServerToolUse) or part.dialect == dialect:
            parts.append(part)
        elif words := in_words(part):
            parts.append(Text(words))
    return msgspec.structs.replace(message, parts=tuple(parts))


def _moved(citation: Citation, inserted: list[tuple[int, int]]) -> Citation:
    start, end = citation.start, citation.end
    if start is None or end is None:
        return citation
    return msgspec.structs.replace(
        citation,
        start=start + sum(length for place, length in inserted if place <= start),
        end=end + sum(length for place, length in inserted if place < end),
    )
