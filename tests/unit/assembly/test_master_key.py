from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.assembly.master_key import kept_master_key
from pointsman.core.errors import Misconfigured


def test_a_key_that_cannot_be_kept_is_told_with_ways_out(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be kept in") as caught:
        kept_master_key(tmp_path / "not-there")
    assert "--data-dir" in (caught.value.hint or "") and "POINTSMAN_MASTER_KEY" in (caught.value.hint or "")
