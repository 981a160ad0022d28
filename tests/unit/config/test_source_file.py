"""A file is read whole and checked, or refused for a reason that the operator can act on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pointsman.config.findings import ConfigRefused, Place
from pointsman.config.source_file import FILE_BYTES_MAX, digest_of, read_source


def refusal(path: Path) -> ConfigRefused:
    with pytest.raises(ConfigRefused) as caught:
        read_source(path)
    return caught.value


def written(folder: Path, data: bytes) -> Path:
    path = folder / "c.yaml"
    path.write_bytes(data)
    return path


def test_text_and_digest_are_given(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbfa: 1\n")
    text, source = read_source(path)
    assert text == "a: 1\n"
    assert source.path == path
    assert source.digest == digest_of(path.read_bytes())


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in str(refusal(tmp_path / "no.yaml"))
    assert "this is a folder" in str(refusal(tmp_path))
    assert "cannot be read" in str(refusal(written(tmp_path, b"") / "below"))
    assert "cannot be read" in str(refusal(Path("a\0b")))


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert "not a plain file" in str(refusal(path))


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, b"a: 1")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "cannot be read: Permission denied" in str(refusal(path))


def test_size_is_bounded(tmp_path: Path) -> None:
    assert len(read_source(written(tmp_path, b"#" * FILE_BYTES_MAX))[0]) == FILE_BYTES_MAX
    assert "larger than 4 MiB" in str(refusal(written(tmp_path, b"#" * (FILE_BYTES_MAX + 1))))


@pytest.mark.parametrize(
    ("data", "line", "column", "words"),
    [
        (b"a: 1\nb: \0x\n", 2, 4, "U+0000"),
        (b"a: \xc3\xa9 \x1b[0m", 1, 6, "U+001B"),
        (b"a: 1\nb: \xc3\xa9\xff\n", 2, 5, "not UTF-8"),
        (b"\xff\xfea\x00", 1, 1, "not UTF-8"),
    ],
)
def test_what_is_not_text_is_refused_at_its_place(
    tmp_path: Path, data: bytes, line: int, column: int, words: str
) -> None:
    path = written(tmp_path, data)
    error = refusal(path).errors[0]
    assert words in error.message
    assert error.place == Place(str(path), line, column)
