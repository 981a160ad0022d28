"""Logs tell what happened to a call, and no credential."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import msgspec
import pytest

from pointsman.core.outcome import CallRecord
from pointsman.telemetry.logs import CallLog, redact, set_up_logs

GOOD = CallRecord(
    "call-1",
    "acompletion",
    "/chat/completions",
    100.0,
    101.5,
    key_token="0123456789abcdef",
    key_alias="tester",
    model_requested="public",
    deployment_id="dep-1",
)


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    asyncio_level = logging.getLogger("asyncio").level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(asyncio_level)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the key sk-abcdef123456789 is wrong", "the key sk-abcdef… is wrong"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer …"),
        ("http://here/v1?api_key=secret&x=1", "http://here/v1?api_key=…&x=1"),
        ("http://here/v1?x=1&key=secret", "http://here/v1?x=1&key=…"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_what_looks_like_a_credential_is_taken_out(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize("json", [False, True])
def test_nobody_makes_up_a_line_of_their_own(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], json: bool
) -> None:
    set_up_logs("info", json=json)
    logging.getLogger("x").warning("the model %s", "a\r\n12:00:00 ERROR forged\x1b[31m\x85b\u2028c\td")
    logged = capsys.readouterr().err
    assert logged.count("\n") == 1 and "\x1b" not in logged and "forged" in logged
    assert json or logged.removesuffix("\n").isprintable()


@pytest.mark.parametrize("json", [False, True])
def test_no_credential_reaches_the_log_in_a_message_or_in_an_exception(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], json: bool
) -> None:
    set_up_logs("info", json=json)
    try:
        int("Bearer hidden-in-the-exception")
    except ValueError:
        logging.getLogger("x").exception("sent sk-abcdef-hidden-in-the-message to %s", "?key=hidden-in-the-arguments")
    logged = capsys.readouterr().err
    assert "hidden" not in logged and "ValueError" in logged


def test_a_line_for_machines_is_one_json_object(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("DEBUG", json=True)
    CallLog().call_ended(GOOD)
    (line,) = capsys.readouterr().err.splitlines()
    told = msgspec.json.decode(line, type=dict[str, str])
    assert (told["level"], told["logger"], told["call_id"]) == ("DEBUG", "pointsman.calls", "call-1")
    assert told["message"] == "call-1 /chat/completions 200 model=public deployment=dep-1 key=tester 1500 ms "


@pytest.mark.parametrize(
    ("status", "level"), [("success", logging.DEBUG), ("cancelled", logging.DEBUG), ("failure", logging.WARNING)]
)
def test_only_a_failure_is_worth_a_warning(caplog: pytest.LogCaptureFixture, status: str, level: int) -> None:
    with caplog.at_level(logging.DEBUG, "pointsman.calls"):
        CallLog().call_ended(msgspec.structs.replace(GOOD, status=status, error_message="why"))
    (record,) = caplog.records
    assert record.levelno == level and record.getMessage().endswith("1500 ms why")


def test_a_key_without_an_alias_is_told_by_the_beginning_of_its_digest(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "pointsman.calls"):
        CallLog().call_ended(msgspec.structs.replace(GOOD, key_alias=None))
    assert "key=01234567 " in caplog.text and "0123456789abcdef" not in caplog.text


def test_good_calls_are_told_where_somebody_debugs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pointsman.calls"):
        assert not CallLog.tells_all()
    with caplog.at_level(logging.DEBUG, "pointsman.calls"):
        assert CallLog.tells_all()


@pytest.mark.parametrize(("name", "level"), [("debug", logging.DEBUG), ("ERROR", logging.ERROR), ("odd", logging.INFO)])
def test_a_level_that_is_none_means_info_and_logs_go_to_standard_error(
    root: logging.Logger, name: str, level: int
) -> None:
    set_up_logs(name, json=False)
    (handler,) = root.handlers
    assert root.level == level and isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr
