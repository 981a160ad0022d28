"""Sounds in answers: OpenAI's ``audio`` of a message, and of the pieces of a stream.

Source: https://platform.openai.com/docs/guides/audio, https://platform.openai.com/docs/api-reference/chat/object. In a
later request OpenAI takes the id of such an answer and nothing else. What another provider said is kept nowhere: an id
of our own marks it, so that it is not asked for at OpenAI's.
"""

from __future__ import annotations

from typing import Final

from pointsman.core.clock import short_id
from pointsman.core.content import Audio
from pointsman.dialects.openai_chat.types import AudioFields

__all__ = ["SoundWriter", "read_sound", "sound_id"]

_FOREIGN: Final = "audio_other_"
_UNSAID: Final = "wav"
"""What OpenAI's answers do not repeat is the format that the request asked for."""


def read_sound(fields: AudioFields, sound_format: str = _UNSAID) -> Audio:
    """A sound, or a piece of one; of an earlier answer it may be the id alone."""
    expires = None if fields.expires_at is None else int(fields.expires_at)
    return Audio(fields.data or "", sound_format, fields.id, fields.transcript or "", expires)


def sound_id(sound: Audio) -> str | None:
    """The name by which OpenAI knows a sound; None: it is not one of OpenAI's."""
    return sound.id if sound.id and not sound.id.startswith(_FOREIGN) else None


class SoundWriter:
    """Writes the sounds of one choice, in pieces or whole.

    Only the first piece has the id, as from OpenAI, whose SDK would string ids together as it does pieces of text.
    """

    __slots__ = ("_id",)

    def __init__(self) -> None:
        self._id = ""

    def write(self, sound: Audio) -> dict[str, object]:
        """One piece."""
        fields: dict[str, object] = {}
        if not self._id:
            fields["id"] = self._id = sound.id or short_id(_FOREIGN)
        if sound.data:
            fields["data"] = sound.data
        if sound.transcript:
            fields["transcript"] = sound.transcript
        if sound.expires_at is not None:
            fields["expires_at"] = sound.expires_at
        return fields

    def whole(self, sound: Audio) -> dict[str, object]:
        """All of it, with each field that clients expect."""
        return {"data": "", "transcript": "", "expires_at": 0, **self.write(sound)}
