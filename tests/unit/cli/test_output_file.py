"""What a command writes is there as a whole, or what was there before is there still."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pointsman.cli.main import cli
from pointsman.cli.output_file import output_file
from pointsman.core.errors import GatewayError, Misconfigured
from tests.upstreams.identity_server import FakeIdentity
from tests.upstreams.reply import Close, Reply, Send

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CUT_OFF = CHUNKED + b"5\r\nid,co\r\n"
WHOLE = CUT_OFF + b"3\r\nst\n\r\n0\r\n\r\n"


@pytest.mark.parametrize(("answer", "left"), [(WHOLE, "id,cost\n"), (CUT_OFF, "before")])
def test_an_export_that_was_cut_off_leaves_what_was_there(tmp_path: Path, answer: bytes, left: str) -> None:
    file = tmp_path / "spend.csv"
    file.write_text("before")
    file.chmod(0o600)
    with FakeIdentity() as gateway:
        gateway.always(Reply((Send(answer), Close()), "export"))
        given = ["spend", "export", "--output", str(file), "--url", gateway.url, "--key", "sk-a"]
        found = CliRunner().invoke(cli, given)
    assert (file.read_text(), list(tmp_path.iterdir())) == (left, [file])
    assert file.stat().st_mode & 0o777 == 0o600
    assert ("was not written" in found.stderr) == isinstance(found.exception, GatewayError) == (left == "before")


def test_whoever_is_interrupted_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), output_file(str(tmp_path / "new")):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    assert "new was not written." in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt), output_file("-"):
        raise KeyboardInterrupt
    assert "not all of it" in capsys.readouterr().err


def test_a_file_behind_a_link_is_written_and_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    for name in (str(tmp_path / "link"), "/dev/null"):
        with output_file(name) as file:
            file.write(b"all")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "all"


def test_a_file_that_cannot_be_made_is_told_of_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be written: No such file"), output_file(str(tmp_path / "no" / "a")):
        pass
