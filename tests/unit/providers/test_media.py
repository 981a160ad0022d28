from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest

from pointsman.core.errors import Malformed
from pointsman.providers.media import MediaFetcher, MediaLimits, is_public, resolve
from tests.unit.providers.scripted import http_server

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
PARAM = "messages[0].content[1].image_url"


def answer_of(body: bytes, *, status: str = "200 OK", extra: str = "Content-Type: image/png\r\n") -> bytes:
    return f"HTTP/1.1 {status}\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


def open_fetcher(**limits: float) -> MediaFetcher:
    async def to_loopback(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    settings = MediaLimits(
        images=True,
        image_bytes_max=int(limits.get("bytes_max", 10_000)),
        documents=True,
        document_bytes_max=100,
        seconds_max=limits.get("seconds_max", 5.0),
    )
    return MediaFetcher(settings, allowed=lambda address: address == "127.0.0.1", resolver=to_loopback)


async def refusal(fetcher: MediaFetcher, url: str) -> Malformed:
    with pytest.raises(Malformed) as raised:
        await fetcher.fetch(url, PARAM)
    assert raised.value.status == 400
    assert raised.value.param == PARAM
    return raised.value


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:1::1", "::127.0.0.1", "2001:db8::1",
        "not an address", "",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_in_any_disguise_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_public(address)


async def test_an_image_is_fetched_as_base64_with_its_type() -> None:
    heads: list[bytes] = []

    def page(head: bytes) -> bytes:
        heads.append(head)
        return answer_of(PNG, extra="Content-Type: Image/PNG; charset=x\r\n")

    async with http_server(page) as port:
        image = await open_fetcher().fetch(f"http://pictures.example:{port}/a b/ü.png?x=1#y".replace(" ", "%20"), PARAM)
    assert image.media_type == "image/png"
    assert base64.b64decode(image.data) == PNG
    assert heads[0].startswith(b"GET /a%20b/%C3%BC.png?x=1 HTTP/1.1\r\n")
    assert f"\r\nHost: pictures.example:{port}\r\n".encode() in heads[0]


async def test_a_body_that_ends_with_the_connection_or_comes_in_chunks_is_read() -> None:
    plain = b"HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\nConnection: close\r\n\r\nGIF89a"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = head + b"3\r\nGIF\r\n3\r\n89a\r\n0\r\n\r\n"
    for reply in (plain, chunked):
        async with http_server(lambda _head, reply=reply: reply) as port:  # type: ignore[misc]
            image = await open_fetcher().fetch(f"http://h.example:{port}/", PARAM)
        assert base64.b64decode(image.data) == b"GIF89a"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answer_of(b"", status="302 Found", extra="Location: http://127.0.0.1/\r\n"), "redirects"),
        (answer_of(b"", status="301 Moved", extra="Location: /\r\n"), "redirects"),
        (answer_of(b"no", status="404 Not Found"), "status 404"),
        (answer_of(b"<html>", extra="Content-Type: text/html\r\n"), "not an image"),
        (answer_of(b"x", extra=""), "not an image"),
        (answer_of(PNG, extra="Content-Type: image/png\r\nContent-Encoding: gzip\r\n"), "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 50\r\n\r\nshort", "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 99999\r\n\r\n", "larger than 10000"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + b"x" * 10_001, "larger than 10000"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, "endless headers"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "cannot be fetched"),
        (b"", "broke off"),
    ],
)
async def test_an_answer_that_is_not_a_whole_plain_image_is_refused_with_the_reason(reply: bytes, words: str) -> None:
    async with http_server(lambda _head: reply) as port:
        error = await refusal(open_fetcher(), f"http://h.example:{port}/x")
    assert words in error.message
    assert "data: URL" in (error.hint or "")


@pytest.mark.parametrize("size", [9_999, 10_000])
async def test_an_image_up_to_the_bound_is_taken(size: int) -> None:
    async with http_server(lambda _head: answer_of(b"x" * size)) as port:
        image = await open_fetcher().fetch(f"http://h.example:{port}/x", PARAM)
    assert len(base64.b64decode(image.data)) == size


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://h.example/x", "gopher://h.example/x", "http:///x", "http://user:pw@h.example/x",
        "http://h.example/\r\nX: y", "http://h.example/a b", "http://h.example:99999/", "http://" + "a" * 9000 + "/",
        "http://[::1", "//h.example/x", "http://h..example/x",
    ],
)  # fmt: skip
async def test_a_url_that_is_not_plain_http_is_refused(url: str) -> None:
    await refusal(open_fetcher(), url)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://localhost/", "http://127.1/", "http://2130706433/", "http://[::1]/", "http://0/",
     "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1:8080/", "http://[::ffff:127.0.0.1]/"],
)  # fmt: skip
async def test_the_machine_and_its_network_are_out_of_reach(url: str) -> None:
    fetcher = MediaFetcher(MediaLimits(images=True, seconds_max=5))
    error = await refusal(fetcher, url)
    assert "not on the public internet" in error.message or "cannot be fetched" in error.message


async def test_one_private_address_among_public_ones_condemns_the_name() -> None:
    async def mixed(host: str, port: int) -> Sequence[str]:
        return ["1.1.1.1", "127.0.0.1"]

    error = await refusal(MediaFetcher(MediaLimits(images=True), resolver=mixed), "http://rebind.example/")
    assert "not on the public internet" in error.message


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    asked: list[str] = []

    async def once(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with http_server(lambda _head: answer_of(PNG)) as port:
        fetcher = MediaFetcher(MediaLimits(images=True), allowed=lambda _address: True, resolver=once)
        await fetcher.fetch(f"http://does-not-exist.invalid:{port}/", PARAM)
    assert asked == ["does-not-exist.invalid"]


async def test_a_host_that_never_answers_is_given_up_after_the_time_allowed() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        raise TimeoutError

    settings = MediaLimits(images=True, seconds_max=0.01)
    error = await refusal(MediaFetcher(settings, resolver=never), "http://h.example/")
    assert "within 0.01 s" in error.message


async def test_fetching_is_off_unless_the_operator_switched_it_on() -> None:
    error = await refusal(MediaFetcher(), "http://h.example/x.png")
    assert MediaFetcher().limits == MediaLimits(images=False, documents=False)
    assert "not fetched by this gateway" in error.message


async def test_the_system_resolver_gives_every_address() -> None:
    assert "127.0.0.1" in await resolve("127.0.0.1", 80)


PDF = b"%PDF-1.7 " + bytes(range(64))


@pytest.mark.parametrize(
    ("declared", "body", "expected"),
    [
        ("application/pdf", PDF, "application/pdf"),
        ("application/octet-stream", PDF, "application/pdf"),
        (None, PDF, "application/pdf"),
        ("text/markdown; charset=utf-8", b"# A", "text/markdown"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK", None),
        ("application/octet-stream", b"MZ", "not a document"),
        ("image/png", PNG, "not a document"),
        ("video/mp4", b"x", "not a document"),
        ("application/pdf", b"x" * 101, "larger than 100 bytes"),
    ],
)
async def test_a_document_is_fetched_with_its_type(declared: str | None, body: bytes, expected: str | None) -> None:
    extra = "" if declared is None else f"Content-Type: {declared}\r\n"
    async with http_server(lambda _head: answer_of(body, extra=extra)) as port:
        url = f"http://papers.example:{port}/a"
        if expected is not None and " " in expected:
            with pytest.raises(Malformed, match=expected) as refused:
                await open_fetcher().fetch(url, PARAM, "document")
            assert refused.value.code == "remote_document_refused"
        else:
            document = await open_fetcher().fetch(url, PARAM, "document")
            assert (document.media_type, base64.b64decode(document.data)) == (expected or declared, body)


async def test_each_kind_has_a_switch_of_its_own() -> None:
    with pytest.raises(Malformed, match="Remote documents are not fetched") as refused:
        await MediaFetcher(MediaLimits(images=True)).fetch("http://h.example/", PARAM, "document")
    assert (refused.value.code, refused.value.param) == ("remote_document_refused", PARAM)
    with pytest.raises(Malformed, match="Remote images are not fetched"):
        await MediaFetcher(MediaLimits(documents=True)).fetch("http://h.example/", PARAM)
