from __future__ import annotations

import pytest

from pointsman.config.findings import Findings, Place
from pointsman.config.modes import examine_mode


def warnings(mode: str) -> list[str]:
    findings = Findings()
    examine_mode(mode, Place("f", 1, 1), "mode", findings)
    return [str(finding) for finding in findings.warnings]


@pytest.mark.parametrize("mode", ["chat", "embedding", "audio_transcription", "rerank"])
def test_a_mode_of_litellm_is_passed_in_silence(mode: str) -> None:
    assert not warnings(mode)


def test_another_is_warned_of_with_the_nearest() -> None:
    assert warnings("chatt") == ["f:1:1: mode: is no mode that is known. Did you mean chat?"]
    assert warnings("pottery") == ["f:1:1: mode: is no mode that is known."]


def test_no_mode_is_no_mistake() -> None:
    findings = Findings()
    examine_mode(None, Place("f"), "mode", findings)
    assert not findings.warnings


def test_a_hint_is_a_sentence_of_its_own() -> None:
    findings = Findings()
    for message in ("it is broken", "It is broken.", "it is:"):
        findings.error(Place(message), "", message, "Mend it.")
    told = {str(finding).partition(": ")[2] for finding in findings.errors}
    assert told == {"it is broken. Mend it.", "It is broken. Mend it.", "it is: Mend it."}
