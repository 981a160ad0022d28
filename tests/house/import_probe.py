"""Imports modules one after the other, each without the others, and tells what importing them did.

Run as ``python -B import_probe.py NAME…``; prints one line for each deed that an import must not do, nothing if all
is well. An audit hook cannot be removed, so this needs a process of its own.
"""

from __future__ import annotations

import importlib
import os
import sys

FORBIDDEN = frozenset({
    "os.exec", "os.fork", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.rename", "os.system",
    "os.unsetenv", "shutil.rmtree", "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname",
    "subprocess.Popen", "urllib.Request",
})  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


class Watch:
    """The audit hook: notes each forbidden deed against the module being imported."""

    def __init__(self) -> None:
        self.module = ""
        self.deeds: list[str] = []

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in FORBIDDEN:
            self.deeds.append(f"{self.module}: {event} {arguments!r}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            self.deeds.append(f"{self.module}: opens {arguments[0]!r} for writing")


def forget(package: str) -> None:
    """Let the next import start from nothing of ours; what we import from others stays loaded."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]


def main(names: list[str]) -> None:
    """Import each of ``names`` under watch and print what was seen."""
    watch = Watch()
    sys.addaudithook(watch)
    for name in names:
        forget(name.partition(".")[0])
        watch.module = name
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            watch.deeds.append(f"{name}: cannot be imported alone: {error!r}")
    print("\n".join(watch.deeds))


if __name__ == "__main__":
    main(sys.argv[1:])
