"""What comes whole in an answer, in words, for dialects that have no place for it.

Of a sound these are the words that are spoken, as far as anybody told them. Of an image there is at least the notice
that there was one: the answer has been paid for, and asking again would not make a place for it. Code that a provider
ran and its output stand there as fenced blocks of text; of a search only its sources are left, which are citations.
Sources that count in the characters of the text are moved behind what is inserted so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.content import Audio, Citation, Image, Message, Part, ServerToolUse, Text
from pointsman.core.events import Cited, CodeDelta, PartGiven, TextDelta
from pointsman.core.reply import Choice, Said

__all__ = ["InWords", "MediaWords", "choice_in_words", "code_opening", "in_words", "media_in_words", "message_in_words"]

MediaWords = Callable[[Image | Audio], str]
"""What is told in place of an image or a sound; empty: nothing, or there is a place for it."""

_CODE_END: Final = "\n```\n"
_HINT: Final = "ask this model through OpenAI's chat completions or Gemini's API to get it"


def code_opening(language: str | None) -> str:
    """What stands before code."""
    return f"\n```{(language or '').lower()}\n"


def in_words(use: ServerToolUse) -> str:
    """The code, and what it gave; empty where the tool did something else."""
    if use.kind != "code":
        return ""
    code = f"{code_opening(use.language)}{use.input}{_CODE_END}" if use.input else ""
    return code if use.output is None else f"{code}\n```\n{use.output}\n```\n"


def media_in_words(part: Image | Audio, api: str) -> str:
    """What stands in place of an image or a sound in an answer of ``api``, which has no place for it."""
    if isinstance(part, Image):
        if part.url is not None:
            return f"\n![image]({part.url})\n"
        what = f"image ({part.media_type})" if part.media_type else "image"
        return f"\n[The model gave an {what}, which {api} cannot hold; {_HINT}.]\n"
    if part.transcript or part.id is not None:
        return part.transcript
    return f"\n[The model gave a sound ({part.format}), which {api} cannot hold; {_HINT}.]\n"


class InWords:
    """Text in place of what tools did, and of images and sounds that ``media`` has words for, as an answer happens."""

    __slots__ = ("_coded", "_inserted", "_media")

    def __init__(self, media: MediaWords | None = None) -> None:
        self._media = media
        self._coded: set[str] = set()
        self._inserted: dict[int, list[tuple[int, int]]] = {}

    def take(self, event: CodeDelta | PartGiven | Cited) -> TextDelta | PartGiven | Cited | None:
        """What is told in its place; None: nothing."""
        if isinstance(event, CodeDelta):
            return self._insert(self._code(event), event.use.at, event.choice)
        if isinstance(event, Cited):
            inserted = self._inserted.get(event.choice)
            return event if inserted is None else Cited(_moved(event.citation, inserted), event.choice)
        if not isinstance(event.part, ServerToolUse):
            words = self._media(event.part) if self._media is not None else ""
            return TextDelta(words, event.choice) if words else event
        use = event.part
        if use.id in self._coded:
            use = msgspec.structs.replace(use, input="")
        return self._insert(in_words(use), use.at, event.choice)

    def _insert(self, words: str, at: int, choice: int) -> TextDelta | None:
        if not words:
            return None
        self._inserted.setdefault(choice, []).append((at, len(words)))
        return TextDelta(words, choice)

    def _code(self, event: CodeDelta) -> str:
        """More of a block of code; the first piece opens it."""
        use = event.use
        words = use.input
        if use.id not in self._coded:
            if not words:
                return ""
            self._coded.add(use.id)
            words = code_opening(use.language) + words
        return words + _CODE_END if event.complete else words


def choice_in_words(choice: Choice, media: MediaWords | None = None) -> Choice:
    """The same of a whole answer; texts that come to stand beside each other become one."""
    uses = [part for part in choice.parts if isinstance(part, ServerToolUse)]
    if not uses and media is None:
        return choice
    inserted = [(use.at, len(words)) for use in uses if (words := in_words(use))]
    parts: list[Said] = []
    for part in choice.parts:
        said = _said(part, media)
        last = parts[-1] if parts else None
        if isinstance(said, Text) and isinstance(last, Text):
            parts[-1] = Text(last.text + said.text)
        elif said != Text(""):
            parts.append(said)
    citations = tuple(_moved(one, inserted) for one in choice.citations)
    return msgspec.structs.replace(choice, parts=tuple(parts), citations=citations)


def _said(part: Said, media: MediaWords | None) -> Said:
    if isinstance(part, ServerToolUse):
        return Text(in_words(part))
    words = media(part) if media is not None and isinstance(part, Image | Audio) else ""
    return Text(words) if words else part


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
