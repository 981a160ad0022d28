"""A process that appends to a spool as fast as it can and tells, through its output, what was flushed.

Started by ``test_mover.py``, which kills it. Arguments: the folder of the spool, the name of the process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pointsman.accounting.spool import Spool
from pointsman.core.outcome import CallRecord


def main() -> None:
    spool = Spool(Path(sys.argv[1]), sys.argv[2], segment_bytes=20_000)
    number = 0
    while True:
        number += 1
        spool.append(CallRecord(f"{sys.argv[2]}-{number}", "chat", "/v1", 1000.0, 1001.0, key_token="t1", cost=number))
        spool.flush()
        os.write(1, b"%d\n" % number)


if __name__ == "__main__":
    main()
