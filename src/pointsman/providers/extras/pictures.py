"""A request for pictures in OpenAI's words, and the answer to it.

Source: https://platform.openai.com/docs/api-reference/images (create, createEdit). An edit is a form with files, or
JSON with ``images`` and ``mask`` as references, of which the ones that hold their data are understood here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from pointsman.core.errors import Broken, Malformed, Rejected, Unsupported
from pointsman.core.upstream import Ask, Deployment
from pointsman.dialects.droppable import HINTS, demand_droppable
from pointsman.dialects.openai_extras.forms import FormNotes
from pointsman.wire.json_fields import decode_field
from pointsman.wire.multipart import Form
from pointsman.wire.upstream_errors import POLICY_CODE

__all__ = [
    "Picture",
    "PictureCall",
    "PictureTokens",
    "camel",
    "demand_sayable",
    "no_pictures",
    "number",
    "read_picture_call",
    "whole_number",
    "write_pictures",
]

_SIZE: Final = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)
_DATA_URL: Final = re.compile(r"data:(image/[a-z0-9.+-]{1,40});base64,", re.ASCII)
_FILES: Final = ("image", "image[]")
_READ: Final = frozenset({"model", "prompt", "n", "size", "response_format", "image", "image[]", "images", "mask",
                          "stream", "user"})  # fmt: skip
_NO_WISH: Final = frozenset({b"null", b'"auto"', b'""'})
"""Values that leave a thing to the model."""

_MAGIC: Final = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_WEBP: Final = (b"RIFF", b"WEBP")

_text: Final = msgspec.json.Decoder(str).decode
_any_number: Final = msgspec.json.Decoder(int | float).decode
_optional_text: Final = msgspec.json.Decoder(str | None).decode
_encode: Final = msgspec.json.Encoder().encode


class Picture(msgspec.Struct, frozen=True):
    """A picture of the client's: its base64, and what kind it is of."""

    data: str
    mime_type: str


class PictureCall(msgspec.Struct, frozen=True):
    """What is to be made. ``size`` is width and height in pixels, None: as the model likes.

    ``images`` are to be edited, only where ``mask`` says if there is one. ``extra`` is what else was said that asks for
    something, raw JSON by the client's names.
    """

    prompt: str
    count: int = 1
    size: tuple[int, int] | None = None
    images: tuple[Picture, ...] = ()
    mask: Picture | None = None
    extra: Mapping[str, msgspec.Raw] = {}


class PictureTokens(msgspec.Struct, frozen=True):
    """Tokens as far as an upstream counts them; those of images are within ``prompt`` and ``completion``."""

    prompt: int
    completion: int
    image_prompt: int = 0
    image_completion: int = 0


class _Reference(msgspec.Struct):
    image_url: str | None = None
    file_id: str | None = None


class _Details(msgspec.Struct):
    text_tokens: int
    image_tokens: int


class _UsageBody(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: _Details
    output_tokens_details: _Details


class _Made(msgspec.Struct):
    b64_json: str


class _Body(msgspec.Struct, omit_defaults=True):
    created: int
    data: list[_Made]
    usage: _UsageBody | None = None


_references: Final = msgspec.json.Decoder(list[_Reference]).decode
_reference: Final = msgspec.json.Decoder(_Reference | None).decode


def read_picture_call(ask: Ask, deployment: Deployment) -> PictureCall:
    """The request, with what the operator set for the deployment beneath it.

    Raises:
        Malformed: a field is of a wrong type or value.
        Unsupported: an address is wanted in place of the picture, or a picture is given by an address.
    """
    form = ask.notes.form if isinstance(ask.notes, FormNotes) else None
    fields = _fields(form, ask) if form is not None else ask.fields
    given = {**deployment.pinned, **fields}
    _demand_data(given, drop_params=deployment.drop_params)
    images, mask = _files(form) if form is not None else _references_in(given)
    extra = {
        name: raw
        for name, raw in given.items()
        if name not in _READ and name not in HINTS and bytes(raw) not in _NO_WISH
    }
    extra.pop("model_id", None)
    prompt = decode_field("prompt", given["prompt"], _text)
    return PictureCall(prompt, ask.choices, _size(given.get("size")), images, mask, extra)


def camel(name: str) -> str:
    """A name as Google and Amazon write theirs: ``negativePrompt`` for ``negative_prompt``."""
    first, *others = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def demand_sayable(upstream: str, names: Collection[str], deployment: Deployment) -> None:
    """Refuse what the upstream has no word for; what the operator allowed or set himself is not asked about.

    Raises:
        Unsupported: the message names the fields, and they may not be dropped.
    """
    theirs = {*deployment.allowed_openai_params, *deployment.pinned}
    foreign = [name for name in names if name not in theirs]
    if foreign:
        demand_droppable(upstream, foreign, drop_params=deployment.drop_params)


def whole_number(name: str, raw: msgspec.Raw) -> int:
    """A field that is a number, which a form can only give as text.

    Raises:
        Malformed: it is none.
    """
    text = bytes(raw).strip(b'"').decode("utf-8", "replace")
    if not (text.isascii() and text.isdigit() and len(text) <= len("4294967295")):
        raise Malformed(f"{name} must be a whole number.", param=name)
    return int(text)


def number(name: str, raw: msgspec.Raw) -> float:
    """A field that is a number, which a form can only give as text.

    Raises:
        Malformed: it is none.
    """
    try:
        found: float = _any_number(bytes(raw).strip(b'"'))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Malformed(f"{name} must be a number.", param=name) from None
    return found


def write_pictures(made: list[str], created: int, tokens: PictureTokens | None = None) -> bytes:
    """The answer for a client of OpenAI's; ``made`` are the pictures as base64, ``created`` is in Unix seconds."""
    usage = None
    if tokens is not None:
        usage = _UsageBody(
            tokens.prompt,
            tokens.completion,
            tokens.prompt + tokens.completion,
            _Details(tokens.prompt - tokens.image_prompt, tokens.image_prompt),
            _Details(tokens.completion - tokens.image_completion, tokens.image_completion),
        )
    return _encode(_Body(created, [_Made(data) for data in made], usage))


def no_pictures(upstream: str, reason: str) -> Rejected | Broken:
    """The error where an answer has no picture in it; ``reason`` is why it was held back, as far as is known."""
    if not reason:
        return Broken(f"{upstream} answered without a picture.")
    return Rejected(f"{upstream} held its pictures back: {reason[:500]}", status=400, code=POLICY_CODE)


def _fields(form: Form, ask: Ask) -> dict[str, msgspec.Raw]:
    """The texts of a form, without what is no longer among the fields, which was for the gateway or is dropped."""
    return {
        part.name: msgspec.Raw(_encode(part.value.decode("utf-8", "replace")))
        for part in form.parts
        if not part.is_file and part.name in ask.fields
    }


def _size(raw: msgspec.Raw | None) -> tuple[int, int] | None:
    text = None if raw is None else decode_field("size", raw, _optional_text)
    if text in {None, "", "auto"}:
        return None
    found = _SIZE.fullmatch(str(text).lower())
    if found is None:
        raise Malformed("size must be a width and a height in pixels, like 1024x1024, or auto.", param="size")
    return int(found[1]), int(found[2])


def _demand_data(given: Mapping[str, msgspec.Raw], *, drop_params: bool) -> None:
    """Refuse a wish for addresses: the upstream gives the pictures themselves, and the gateway keeps none."""
    raw = given.get("response_format")
    wanted = None if raw is None else decode_field("response_format", raw, _optional_text)
    if wanted in {None, "", "b64_json"}:
        return
    if wanted != "url":
        raise Malformed("response_format must be b64_json or url.", param="response_format")
    if not drop_params:
        raise Unsupported(
            "This model gives pictures as data, so response_format: url is not possible.",
            hint="Ask for b64_json, or let the operator set drop_params: true to have the field dropped.",
            param="response_format",
        )


def _files(form: Form) -> tuple[tuple[Picture, ...], Picture | None]:
    images = tuple(_picture(part.value, part.content_type) for part in form.files(*_FILES))
    masks = form.files("mask")
    if len(masks) > 1:
        raise Malformed(f"mask must be there once, not {len(masks)} times.", param="mask")
    return images, _picture(masks[0].value, masks[0].content_type) if masks else None


def _picture(data: bytes, said: str | None) -> Picture:
    """A file; what it is is seen from its first bytes, for many clients call every file octets."""
    mime_type = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
    if mime_type is None and data.startswith(_WEBP[0]) and data[8:12] == _WEBP[1]:
        mime_type = "image/webp"
    said = said if said is not None and said.startswith("image/") else "image/png"
    return Picture(base64.b64encode(data).decode("ascii"), mime_type or said)


def _references_in(given: Mapping[str, msgspec.Raw]) -> tuple[tuple[Picture, ...], Picture | None]:
    if "images" not in given and "mask" not in given:
        return (), None
    listed = decode_field("images", given.get("images", msgspec.Raw(b"[]")), _references)
    mask = decode_field("mask", given.get("mask", msgspec.Raw(b"null")), _reference)
    images = tuple(_referred(one, f"images[{index}]") for index, one in enumerate(listed))
    return images, None if mask is None else _referred(mask, "mask")


def _referred(reference: _Reference, place: str) -> Picture:
    if reference.image_url is None:
        raise Unsupported(f"{place}.file_id: this provider has no files of OpenAI's.", param=f"{place}.file_id")
    found = _DATA_URL.match(reference.image_url)
    if found is None:
        raise Unsupported(
            f"{place}.image_url must be a data: URL with base64 here.",
            hint="Send the picture itself, as a file of a form or as a data: URL.",
            param=f"{place}.image_url",
        )
    data = reference.image_url[found.end() :]
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(f"{place}.image_url is not valid base64.", param=f"{place}.image_url") from None
    return Picture(data, found[1])
