"""The report's page as text, and what it says where there is none; tests/test_airflow_runs.py opens it for real."""

from datetime import date

import pytest

from airflow_ext.reconciliation import GROUPS, NoReportError, Report, _html, read_report


def day(**values: object) -> dict[str, object]:
    counts = {f"{name}_{what}_count": 0 for name in GROUPS for what in ("verified", "unverifiable", "failed")}
    row = {
        "chain": "bitcoin",
        "block_date": date(2025, 2, 2),
        "block_count": 1000,
        "failed_heights": [],
        "reasons": None,
    }
    return row | counts | {"failed": 0, "unverifiable": 0} | values


def page(*days: dict[str, object]) -> str:
    report = Report(chains=[], days=days, older=None)
    return bytes(
        _html(200, report=report, asked={"chain": None, "only": None, "until": None}, older=None).body
    ).decode()


def test_what_the_warehouse_says_is_text_and_never_markup() -> None:
    shown = page(day(chain="<script>alert(1)</script>", reasons='"><img src=x>'))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<script" not in shown
    assert "<img" not in shown


def test_each_outcome_has_its_word() -> None:
    assert ">verified</span>" in page(day(header_verified_count=8))
    assert ">in part</span>" in page(day(unverifiable=3, header_unverifiable_count=3, reasons="no parent"))
    failed = page(day(failed=1, unverifiable=3, header_failed_count=1, failed_heights=[65]))
    assert ">failed</span>" in failed
    assert "block 65" in failed
    assert "1 failed" in failed


def test_of_many_blocks_the_first_twenty_are_named() -> None:
    shown = page(day(failed=30, failed_heights=list(range(100, 130))))
    assert "118, 119 and 10 more" in shown
    assert "120" not in shown


def test_no_warehouse_is_a_sentence() -> None:
    with pytest.raises(NoReportError, match="Start the embedded one"):
        read_report({"AIRFLOW_EXT_WAREHOUSE_HOST": "127.0.0.1"}, None, None, None)


def test_a_warehouse_that_is_down_is_a_sentence_without_the_password() -> None:
    environ = {
        "AIRFLOW_EXT_WAREHOUSE_HOST": "127.0.0.1",
        "AIRFLOW_EXT_WAREHOUSE_PORT": "1",
        "AIRFLOW_EXT_WAREHOUSE_PASSWORD": "hush-hush",
    }
    with pytest.raises(NoReportError, match=r"127\.0\.0\.1:1 does not answer: .*refused") as error:
        read_report(environ, None, None, None)
    assert "hush-hush" not in str(error.value)
