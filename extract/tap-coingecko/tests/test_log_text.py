"""What a source sends is shown in log lines, and controls no terminal and no log."""

from __future__ import annotations

import logging

import pytest

from tap_coingecko.log_text import hook_log_records, visible


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert visible("\x1b[31m\x9b2J\r\n\t\u202eabc\u2066\u200b\ud800\x00\x7f") == (
        r"\x1b[31m\x9b2J\r\n\t\u202eabc\u2066\u200b\ud800\x00\x7f"
    )
    assert visible("Ð, 币安人生, é, 😀 [x] <b> %s") == "Ð, 币安人生, é, 😀 [x] <b> %s"


def test_log_records_of_any_logger_are_one_line_and_a_traceback_keeps_its_own(caplog: pytest.LogCaptureFixture) -> None:
    hook_log_records()
    hook_log_records()
    error = ValueError("\x1b[2Jone\ntwo")
    logging.getLogger("another.library").error("%s: %d", "a\x1b]0;title\x07\nb", 5, exc_info=error)
    (record,) = caplog.records
    assert record.getMessage() == r"a\x1b]0;title\x07\nb: 5"
    said = logging.Formatter().format(record)
    assert said.count("\x1b") == 0
    assert r"ValueError: \x1b[2Jone" in said.splitlines()
    assert "two" in said.splitlines()
