"""The demo's model server, a program of its own: llama.cpp's server from the ``xllamacpp`` wheel.

Runs as a child process so that a crash in it cannot take the gateway along. Reads its orders (JSON) from the first
line of standard input, prints ``READY`` and its port, and ends when standard input closes, so as not to outlive its
parent.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import msgspec

__all__ = ["Orders", "main"]


class Orders(msgspec.Struct):
    """What the child is told: a model file, a free port, a key, a chat template.

    ``context`` is in tokens, for each of the ``slots`` that answer at the same time.
    """

    model: str
    port: int
    key: str
    template: str
    threads: int = 2
    context: int = 4096
    slots: int = 2


def main() -> None:
    """Serve until standard input closes."""
    # Ctrl-C reaches the whole process group; the gateway still lets open answers finish, and then closes the input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    server = _start(orders)
    sys.stdout.write(f"READY {orders.port}\n")
    sys.stdout.flush()
    while sys.stdin.buffer.read(4096):
        pass
    del server
    os._exit(0)


def _start(orders: Orders) -> Any:  # noqa: ANN401 - the library has no types
    import xllamacpp  # noqa: PLC0415 - an optional extra

    parameters = xllamacpp.CommonParams()
    parameters.model.path = orders.model
    parameters.port = orders.port
    parameters.api_keys = [orders.key]
    parameters.n_ctx = orders.context * orders.slots  # llama.cpp divides it among them
    parameters.n_parallel = orders.slots
    parameters.cpuparams.n_threads = orders.threads
    parameters.cpuparams_batch.n_threads = orders.threads
    parameters.chat_template = orders.template
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    parameters.endpoint_props = True
    return xllamacpp.Server(parameters)


if __name__ == "__main__":
    main()
