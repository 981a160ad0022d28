"""``pointsman spend export``: of a file that breaks off nothing stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from pointsman.cli.main import cli
from pointsman.core.errors import Unreachable


class Gateway:
    """Sends some pieces, and then goes away."""

    def __init__(self, pieces: list[bytes], *, stays: bool) -> None:
        self.pieces, self.stays = pieces, stays

    async def download(self, _path: str, _query: Mapping[str, object], write: Callable[[bytes], None]) -> None:
        for piece in self.pieces:
            write(piece)
        if not self.stays:
            raise Unreachable("It has gone.")


@pytest.mark.parametrize(
    ("pieces", "stays", "left"),
    [([b"a,b\n", b"1,2\n"], True, b"a,b\n1,2\n"), ([b"a,b\n"], False, b"of yesterday")],
)
def test_a_part_is_not_left_for_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], stays: bool, left: bytes
) -> None:
    monkeypatch.setattr("pointsman.cli.spend_files.found_gateway", lambda *_: Gateway(pieces, stays=stays))
    file = tmp_path / "calls.csv"
    file.write_bytes(b"of yesterday")
    done = CliRunner().invoke(cli, ["spend", "export", "--output", str(file)])
    assert (done.exit_code == 0) is stays
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"calls.csv": left}
    nowhere = CliRunner().invoke(cli, ["spend", "export", "--output", str(tmp_path / "none" / "calls.csv")])
    assert nowhere.exit_code == 1 and "No such file" in nowhere.output
