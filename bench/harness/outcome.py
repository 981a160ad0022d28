"""Everything one run found, and the same as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from harness.summary import Figures, summarise

if TYPE_CHECKING:
    from pathlib import Path

    from harness.footprint import Footprint
    from harness.rounds import ScenarioResult
    from harness.soak import Soak

__all__ = ["Outcome", "write_json"]


@dataclass(slots=True)
class Outcome:
    """Filled while the run goes on, so that an interrupted run still has what it measured.

    ``faults`` maps a contender to what disqualified it; ``identical`` says whose replies equalled the upstream's byte
    for byte.
    """

    machine: dict[str, str]
    versions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)
    identical: dict[str, bool] = field(default_factory=dict)
    footprints: dict[str, Footprint] = field(default_factory=dict)
    scenarios: list[ScenarioResult] = field(default_factory=list)
    soak: Soak | None = None

    def figures(self) -> list[Figures]:
        """The medians and ratios of the scenarios so far."""
        return summarise(self.scenarios)


def write_json(outcome: Outcome, targets: list[dict[str, object]], path: Path) -> None:
    """Writes all of it: every window, the figures made of them, and the targets."""
    document = {
        "machine": outcome.machine,
        "versions": outcome.versions,
        "notes": outcome.notes,
        "faults": outcome.faults,
        "identical_to_upstream": outcome.identical,
        "figures": [asdict(figures) for figures in outcome.figures()],
        "footprints": {
            name: asdict(footprint) | {"bytes_per_stream": footprint.bytes_per_stream}
            for name, footprint in outcome.footprints.items()
        },
        "soak": asdict(outcome.soak) | {"bytes_per_1000_requests": outcome.soak.bytes_per_1000_requests}
        if outcome.soak
        else None,
        "targets": targets,
        "windows": [
            asdict(window) | {"clean": window.clean} for result in outcome.scenarios for window in result.windows
        ],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
