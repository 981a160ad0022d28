"""The program of a worker process: reads its orders from standard input and serves."""

from __future__ import annotations

import os
import sys
import threading
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console

from pointsman.assembly.configuration import read_configuration
from pointsman.assembly.gateway import Gateway
from pointsman.assembly.plan import DemoModel, ServePlan
from pointsman.cli.banner import show_banner
from pointsman.cli.streams import show_what_can_be_shown
from pointsman.cli.supervisor import REFUSED_STATUS, Orders
from pointsman.cli.worker import listening_socket, run_worker
from pointsman.core.errors import GatewayError
from pointsman.core.secret import Secret
from pointsman.telemetry.logs import set_up_logs

__all__ = ["main"]


def main() -> None:
    """Serve until told to stop, or until the supervisor is gone."""
    show_what_can_be_shown()
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    demo = None
    if orders.demo_base is not None:
        demo = DemoModel(orders.demo_base, Secret(orders.demo_key or ""))
    plan = ServePlan(
        host=orders.host,
        port=orders.port,
        data_directory=Path(orders.data_directory),
        config_path=Path(orders.config_path) if orders.config_path else None,
        ollama=orders.ollama,
        authenticate=orders.authenticate,
        workers=orders.workers,
        worker=orders.worker,
        demo=demo,
    )
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    try:
        configuration = read_configuration(plan.config_path)
        loaded = configuration.loaded
        set_up_logs(loaded.log_level, json=loaded.settings.litellm_settings.json_logs)
        run_worker(plan, configuration, listening_socket(plan, shared=True), partial(_ready, orders))
    except GatewayError as error:
        sys.stderr.write(f"pointsman: {error.told()}\n")
        sys.exit(REFUSED_STATUS)


def _ready(orders: Orders, gateway: Gateway) -> None:
    if orders.announces:
        show_banner(gateway, Console(highlight=False), key_made=orders.key_made)


def _outlive_nobody() -> None:
    """End with the supervisor: its end of the pipe closes with it."""
    # Not through sys.stdin: its lock, held by this thread while it waits, would abort the interpreter at its end.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), 15)


if __name__ == "__main__":
    main()
