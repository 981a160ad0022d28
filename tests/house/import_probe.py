"""Imports modules in one process and tells whether each could have come first, and what importing them did.

Run as ``python -B import_probe.py NAME…``; prints one line for each deed that an import must not do, nothing if all
is well. An audit hook cannot be removed, so this needs a process of its own.

That a module can be imported first and alone is told from how all of them are imported together. If no module, while
it is being imported, reaches for one that is not yet complete, then what each finds is complete whatever came first;
and it finds the same, for it asks for all that it uses by name. Only the packages that hold a module may be incomplete
to it, since these begin before it in any order.
"""

from __future__ import annotations

import builtins
import importlib
import itertools
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType, ModuleType

FORBIDDEN = frozenset({
    "os.exec", "os.fork", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.rename", "os.system",
    "os.unsetenv", "shutil.rmtree", "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname",
    "subprocess.Popen", "urllib.Request",
})  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
import_of_python = builtins.__import__


def lineage(name: str) -> list[str]:
    """``a``, ``a.b`` and ``a.b.c`` for ``a.b.c``."""
    return list(itertools.accumulate(name.split("."), "{}.{}".format))


def is_incomplete(name: str) -> bool:
    """Whether a module is being imported at this moment."""
    return bool(getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False))


class Watch:
    """Notes each forbidden deed, and each import within our packages that rests on an order, by the module at work."""

    def __init__(self, packages: set[str]) -> None:
        self.deeds: list[str] = []
        self._packages = packages

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        """The audit hook."""
        if event in FORBIDDEN:
            self.deeds.append(f"{self._at_work()}: {event} {arguments!r}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            self.deeds.append(f"{self._at_work()}: opens {arguments[0]!r} for writing")

    def _at_work(self) -> str:
        """The module of ours whose code runs, or that imports the one of others whose code runs."""
        frame: FrameType | None = sys._getframe(1)
        while frame and not self._is_ours(str(frame.f_globals.get("__name__"))):
            frame = frame.f_back
        return str(frame.f_globals["__name__"]) if frame else "the probe"

    def _is_ours(self, name: str) -> bool:
        return name.partition(".")[0] in self._packages

    def do_import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - so it is called
        locals: Mapping[str, object] | None = None,  # noqa: A002 - so it is called
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What stands for ``__import__``."""
        asking, parts = str((globals or {}).get("__name__")), fromlist or ()
        if level or not (self._is_ours(name) and self._is_ours(asking)):
            return import_of_python(name, globals, locals, parts, level)
        if not parts:
            self.deeds.append(f"{asking}: `import {name}` does not say what of it is used: import that from it")
        self._look(asking, lineage(name))
        module = import_of_python(name, globals, locals, parts)
        self._look(asking, [f"{name}.{part}" for part in parts])
        return module

    def _look(self, asking: str, names: Iterable[str]) -> None:
        """Note which of what is asked for is not complete. Of a circle, its last import is found."""
        unready = [name for name in names if is_incomplete(name) and name not in lineage(asking)]
        self.deeds += [f"{asking}: asks for {name} while that is being imported: a circle" for name in unready]

    def import_first(self, name: str) -> None:
        """Import a module from outside."""
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            self.deeds.append(f"{name}: cannot be imported: {error!r}")


def main(names: list[str]) -> None:
    """Import ``names`` under watch and print what was seen."""
    watch = Watch({name.partition(".")[0] for name in names})
    sys.addaudithook(watch.audit)
    builtins.__import__ = watch.do_import
    for name in names:
        watch.import_first(name)
    print("\n".join(dict.fromkeys(watch.deeds)))


if __name__ == "__main__":
    main(sys.argv[1:])
