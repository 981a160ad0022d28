"""nginx as a plain reverse proxy: the limit of what one core can relay."""

from __future__ import annotations

import subprocess
from string import Template

from harness.contenders.contract import Contender, Place
from harness.surroundings import BENCH, require

__all__ = ["Nginx"]


class Nginx(Contender):
    """One worker, upstream keep-alive, no buffering of replies, no log."""

    name = "nginx"
    rate_max = 10_000
    warm_s = 1

    def install(self) -> None:
        """From the system's packages."""
        require("nginx")

    def version(self) -> str:
        """As ``nginx -v`` says."""
        done = subprocess.run(["nginx", "-v"], capture_output=True, text=True, timeout=10, check=True)
        return done.stderr.strip().rpartition("/")[2]

    def command(self, place: Place) -> list[str]:
        """Renders ``bench/nginx.conf`` for the place."""
        template = Template((BENCH / "nginx.conf").read_text())
        # nginx has variables of its own, so unknown names are left alone.
        text = template.safe_substitute(port=place.port, upstream_port=place.upstream_port, directory=place.directory)
        config = place.directory / "nginx.conf"
        config.write_text(text)
        return ["nginx", "-c", str(config), "-e", str(place.directory / "error.log")]

    def notes(self) -> list[str]:
        """What it does not do."""
        return ["nginx relays only: no key check, no limits, no accounting, no log."]
