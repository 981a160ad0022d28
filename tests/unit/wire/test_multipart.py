"""A form is read the same in any pieces, and what two readers could understand differently is refused."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.wire.multipart import (
    PARTS_MAX,
    Form,
    FormPart,
    MultipartReader,
    encode_form,
    opening_boundary,
    read_form,
)

BOUNDARY = b"x-boundary"
HEAD = b'--x-boundary\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
END = b"\r\n--x-boundary--\r\n"

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20).filter(
    lambda text: "\\" not in text and "%" not in text and text.isprintable()
)
VALUES = st.one_of(
    st.binary(max_size=200), st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--x", b"\r\n--"])).map(b"".join)
)
PARTS = st.lists(
    st.builds(
        FormPart, NAMES, VALUES, st.none() | NAMES, st.sampled_from([None, "image/png", "text/plain; charset=x"])
    ),
    max_size=6,
).map(tuple)


def refusal(body: bytes) -> Malformed:
    with pytest.raises(Malformed) as caught:
        read_form(body)
    return caught.value


def fed(body: bytes, cuts: list[int]) -> Form:
    reader = MultipartReader(BOUNDARY)
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(places):
        reader.feed(body[start:end])
    return reader.end()


def with_head(head: bytes) -> bytes:
    return b"--x-boundary\r\n" + head + b"\r\n\r\nvalue" + END


@settings(deadline=None)
@given(PARTS)
def test_what_is_written_is_read_again(parts: tuple[FormPart, ...]) -> None:
    whole = encode_form(parts, b"a-boundary-that-nobody-foresees")
    if parts:
        assert read_form(whole) == Form(parts)


@settings(deadline=None)
@given(PARTS, st.lists(st.integers(0, 5000), max_size=12))
def test_any_pieces_give_the_same_form(parts: tuple[FormPart, ...], cuts: list[int]) -> None:
    body = encode_form(parts, BOUNDARY)
    try:
        whole = fed(body, [])
    except Malformed:
        with pytest.raises(Malformed):
            fed(body, cuts)
    else:
        assert fed(body, cuts) == whole


@settings(deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_hostile_bytes_are_refused_or_read_and_nothing_else(data: bytes, framed: bool) -> None:
    body = HEAD + data if framed else data
    try:
        form = read_form(body)
    except Malformed:
        return
    assert all(part.name for part in form.parts)


@settings(deadline=None)
@given(st.binary(max_size=300).filter(lambda data: b"x-boundary" not in data))
def test_content_is_kept_byte_for_byte(data: bytes) -> None:
    assert read_form(HEAD + data + END).parts == (FormPart("a", data),)


@settings(deadline=None)
@given(PARTS.filter(bool))
def test_the_standard_library_reads_what_we_write(parts: tuple[FormPart, ...]) -> None:
    plain = tuple(FormPart(f"n{index}", part.value, None, part.content_type) for index, part in enumerate(parts))
    body = encode_form(plain, b"a-boundary-that-nobody-foresees")
    head = b"Content-Type: multipart/form-data; boundary=a-boundary-that-nobody-foresees\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    names = [part.get_param("name", header="content-disposition") for part in message.iter_parts()]
    assert names == [part.name for part in plain]


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b'Content-Disposition: form-data; name="a"', FormPart("a", b"value")),
        (b"content-disposition:form-data;name=a", FormPart("a", b"value")),
        (b'Content-Disposition: form-data; filename=""; name="a"', FormPart("a", b"value", "")),
        (b'Content-Disposition: form-data; name="a"; filename="x\\"y.png"', FormPart("a", b"value", 'x"y.png')),
        (b'Content-Disposition: form-data; name="a"; filename="x%22y.png"', FormPart("a", b"value", 'x"y.png')),
        (
            b"Content-Disposition: form-data; name=a; filename=e.png; filename*=utf-8''%C3%A9.png",
            FormPart("a", b"value", "é.png"),
        ),
        (b'Content-Disposition: form-data; name="a"; filename="; name=b"', FormPart("a", b"value", "; name=b")),
        (b'Content-Type: image/png\r\nX-Other: y\r\nContent-Disposition: form-data; name="a"',
         FormPart("a", b"value", None, "image/png")),
        (b'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: binary', FormPart("a", b"value")),
    ],
)  # fmt: skip
def test_heads_as_clients_write_them(head: bytes, part: FormPart) -> None:
    assert read_form(with_head(head)).parts == (part,)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"X-Other: y",
        b"Content-Disposition: attachment; name=a",
        b"Content-Disposition: form-data",
        b'Content-Disposition: form-data; name=""',
        b"Content-Disposition: form-data; name=a; name=b",
        b"Content-Disposition: form-data; name=a; Name=b",
        b"Content-Disposition: form-data; name=a; name*=utf-8''b",
        b'Content-Disposition: form-data; name="a',
        b"Content-Disposition: form-data; name=a;",
        b"Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
        b"Content-Disposition: form-data;\r\n name=a",
        b"Content-Disposition: form-data; name=a\nX: y",
        b"Content-Disposition: form-data; name=a\x00",
        b"Content-Disposition : form-data; name=a",
        b"Content-Disposition: form-data; name=a\r\nContent-Type: nothing",
        b"Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64",
        b"Content-Disposition: form-data; name=\xff",
        b"Content-Disposition: form-data; name=" + b"a" * 513,
        b"Content-Disposition: form-data; name=a; filename=" + b"a" * 513,
        b"Content-Disposition: form-data; name=a" + b"\r\nX: y" * 9,
        b"Content-Disposition: form-data; name=a\r\nX: " + b"y" * 9000,
    ],
)
def test_heads_with_two_readings_are_refused(head: bytes) -> None:
    refusal(with_head(head))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"--\r\n",
        b"preamble\r\n" + HEAD + b"v" + END,
        b"\r\n" + HEAD + b"v" + END,
        HEAD + b"v",
        HEAD + b"v\r\n--x-boundary",
        HEAD + b"v\r\n--x-boundary-",
        HEAD + b"v\r\n--x-boundary \r\n",
        HEAD + b"v\r\n--x-boundary\n",
        HEAD + b"v" + END + b"more",
        HEAD + b"v" + END + b"\r\n" * 9,
        HEAD.replace(b"\r\n", b"\n") + b"v" + END,
        b"--" + b"x" * 71 + b"\r\n",
        b"--x\xff\r\n\r\n--x\xff--\r\n",
    ],
)
def test_bodies_with_two_readings_are_refused(body: bytes) -> None:
    refusal(body)


def test_the_field_that_is_cut_off_is_named() -> None:
    assert refusal(HEAD + b"v").param == "a"


def test_parts_are_bounded() -> None:
    one = b'--x-boundary\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    assert len(read_form(one * PARTS_MAX + b"--x-boundary--").parts) == PARTS_MAX
    assert str(PARTS_MAX) in refusal(one * (PARTS_MAX + 1) + b"--x-boundary--").message


def test_an_endless_head_is_not_kept() -> None:
    reader = MultipartReader(BOUNDARY)
    reader.feed(b"--x-boundary\r\n")
    for _ in range(8):
        reader.feed(b"y" * 1000)
    with pytest.raises(Malformed):
        reader.feed(b"y" * 1000)


def test_a_text_field_is_there_once_and_is_a_text() -> None:
    form = Form(
        (
            FormPart("m", b"x"),
            FormPart("f", b"x", "name"),
            FormPart("m2", b"x"),
            FormPart("m2", b"y"),
            FormPart("b", b"\xff"),
        )
    )
    assert (form.text("m"), form.text("none")) == ("x", None)
    for name in ("f", "m2", "b"):
        with pytest.raises(Malformed) as caught:
            form.text(name)
        assert caught.value.param == name


def test_a_written_name_cannot_end_its_line() -> None:
    hostile = FormPart('a"\r\nX: y', b"v", 'f"\\\r\n\r\n--', None)
    head = encode_form((hostile,), BOUNDARY).split(b"\r\n\r\n")[0]
    assert (
        head
        == b'--x-boundary\r\nContent-Disposition: form-data; name="a%22%0D%0AX: y"; filename="f%22%5C%0D%0A%0D%0A--"'
    )


@pytest.mark.parametrize(
    ("body", "boundary"),
    [(b"--abc\r\n", b"abc"), (b"--a b\r\n", b"a b"), (b"--a \r\n", None), (b"--abc", None), (b"-abc\r\n", None)],
)
def test_the_boundary_is_that_of_the_first_line(body: bytes, boundary: bytes | None) -> None:
    assert opening_boundary(body) == boundary
