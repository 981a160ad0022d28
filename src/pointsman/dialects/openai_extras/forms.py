"""Requests that bring files, as forms: https://platform.openai.com/docs/api-reference (audio, images/createEdit)."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.openai_fields import CHOICES_MAX, demand_model_name
from pointsman.wire.multipart import Form, FormPart, read_form

__all__ = ["FormNotes", "read_form_ask"]

_FILES: Final = {
    Operation.IMAGE_EDIT: ("image", "image[]"),
    Operation.IMAGE_VARIATION: ("image",),
    Operation.TRANSCRIPTION: ("file",),
    Operation.TRANSLATION: ("file",),
}
"""Where the file of an operation may be; the first name is told when it is missing."""

_TRUE: Final = frozenset({"true", "1"})
_FALSE: Final = frozenset({"false", "0", ""})
_TOKENS_PER_FILE: Final = 1000
_BYTES_PER_TOKEN: Final = 4

_encode: Final = msgspec.json.Encoder().encode


class FormNotes(msgspec.Struct):
    """The form, kept with its :class:`~pointsman.core.upstream.Ask`."""

    form: Form


class _ShownFile(msgspec.Struct):
    """What of a file stands in the record of a call."""

    filename: str
    content_type: str | None
    bytes: int


def read_form_ask(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    """As much of a form as routing has to know. Its ``fields`` are for the record: texts, and of files what they are.

    Raises:
        Malformed: it is no form, or lacks its file, or one of the fields read is wrong.
    """
    form = read_form(body)
    model = form.text("model") if path_model is None else path_model
    if model is None:
        raise Malformed("model is required.", param="model")
    demand_model_name(model)
    names = _FILES[operation]
    if not form.files(*names):
        raise Malformed(f"{names[0]} is required, as a file.", param=names[0])
    if operation is Operation.IMAGE_EDIT and not form.text("prompt"):
        raise Malformed("prompt is required.", param="prompt")
    ask = Ask(operation, model, _shown(form), notes=FormNotes(form))
    ask.stream = _flag(form, "stream")
    ask.choices = _choices(form)
    ask.end_user = form.text("user") or None
    ask.prompt_estimate = _estimate(form)
    return ask


def _flag(form: Form, name: str) -> bool:
    text = (form.text(name) or "").lower()
    if text not in _TRUE | _FALSE:
        raise Malformed(f"{name} must be true or false.", param=name)
    return text in _TRUE


def _choices(form: Form) -> int:
    text = form.text("n") or "1"
    count = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(CHOICES_MAX)) else 0
    if not 1 <= count <= CHOICES_MAX:
        raise Malformed(f"n must be an integer from 1 to {CHOICES_MAX}.", param="n")
    return count


def _estimate(form: Form) -> int:
    texts = sum(len(part.value) for part in form.parts if not part.is_file)
    files = sum(part.is_file for part in form.parts)
    return files * _TOKENS_PER_FILE + texts // _BYTES_PER_TOKEN + 1


def _shown(form: Form) -> dict[str, msgspec.Raw]:
    shown: dict[str, list[str | _ShownFile]] = {}
    for part in form.parts:
        shown.setdefault(part.name, []).append(_show(part))
    return {name: msgspec.Raw(_encode(each[0] if len(each) == 1 else each)) for name, each in shown.items()}


def _show(part: FormPart) -> str | _ShownFile:
    if part.filename is not None:
        return _ShownFile(part.filename, part.content_type, len(part.value))
    return part.value.decode("utf-8", "replace")
