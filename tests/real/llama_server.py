"""A program of its own: llama.cpp's server from the ``xllamacpp`` wheel, with everything a test wants to look at.

    python tests/real/llama_server.py MODEL PORT KEY [SLEEP]

An empty KEY lets everybody in. After SLEEP seconds without work the model is put out of memory.

Prints ``READY`` when it serves, and ends when its standard input closes: it cannot outlive the tests.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import xllamacpp


def main() -> None:
    """Serve until standard input closes."""
    model, port, key = sys.argv[1:4]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {"smollm2"}
    parameters.port = int(port)
    parameters.api_keys = [key] if key else []
    if len(sys.argv) > 4:
        parameters.sleep_idle_seconds = int(sys.argv[4])
    parameters.n_ctx = 4096
    parameters.n_parallel = 2
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.n_threads_http = 8
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    parameters.endpoint_slots = True
    parameters.endpoint_metrics = True
    parameters.endpoint_props = True
    # The model's own template ignores tools; this one shows it two calls.
    parameters.chat_template = Path(__file__).with_name("smollm2-tools.jinja").read_text("utf-8")
    server = xllamacpp.Server(parameters)
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    del server
    os._exit(0)


if __name__ == "__main__":
    main()
