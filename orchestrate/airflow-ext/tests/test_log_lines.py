"""Lines of Meltano's log: their level, what is shown of them, which rows they count, and why a run failed."""

import json
import logging
from typing import Any

import pytest

from airflow_ext.log_lines import RunLog

LOADER = "target-postgres"


def line(event: str, plugin: str | None = LOADER, **more: Any) -> str:  # noqa: ANN401 - JSON
    return json.dumps({"level": "info", "event": event, "string_id": plugin} | more)


def metric(stream: str | None, value: object, plugin: str = LOADER, name: str = "record_count") -> str:
    tags = None if stream is None else {"stream": stream}
    return line("METRIC", plugin, metric_info={"metric": name, "value": value, "tags": tags})


def rows(*lines: str, loader: str | None = LOADER) -> int:
    log = RunLog(loader=loader)
    for one in lines:
        log.read(one)
    return log.rows


def test_rows_are_those_of_the_slices_of_the_runs_own_loader() -> None:
    written = "bitcoin/blocks/2026-01-01: 1,200 rows loaded, 3 deleted or replaced (0.1 s)"
    assert rows(line(written)) == 1200
    assert rows(line(written), line(written.replace("2026-01-01", "2026-01-02"))) == 2400
    # what another plugin says is nothing of the loader's, whatever it looks like
    assert rows(line(written, "tap-blockchair")) == 0
    assert rows(line(written, None)) == 0
    assert rows(written) == 0
    assert rows(line(written), metric("orders", 7, "target-other"), line(written, "target-other")) == 1200
    # and a run without a loader counts none
    assert rows(line(written, None), metric("c", 5, ""), loader=None) == 0
    assert rows(line(written), loader=None) == 0


def test_rows_are_records_where_there_are_no_slices() -> None:
    assert rows(metric("coins", 5), metric("coins", 6), metric("markets", 1)) == 12
    # slices are of a table by its name with underscores: records of that table count no more
    same = "bitcoin-sv/blocks/2026-01-01: unchanged, skipped (0.1 s)"
    assert rows(metric("bitcoin_sv_blocks", 9), line(same), metric("coins", 5)) == 5
    assert rows(metric("coins", None), metric("coins", 2, name="http_requests"), metric(None, 3)) == 3
    assert rows(line("x", metric_info="none"), line("x", metric_info={"metric": "record_count"})) == 0


def test_what_a_source_says_controls_no_terminal() -> None:
    log = RunLog()
    hostile = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e {{ 1 }} %s <script>"
    shown = r"\x1b[2J\x1b]0;title\x07\x9b31m\u202e {{ 1 }} %s <script>"
    assert log.read(line(hostile, "target-postgres", level="error")) == (logging.ERROR, f"target-postgres: {shown}")
    assert log.read(hostile)[1] == shown
    log.read(line(f"check failed: bitcoin block 5, {hostile}", "dbt-postgres"))
    assert log.failed_checks == [f"check failed: bitcoin block 5, {shown}"]
    assert log.read(line("Traceback", exception="one\n\ttwo"))[1].endswith("one\n\ttwo")


@pytest.mark.parametrize(
    "event",
    [
        "bitcoin/blocks: 12 rows loadedly",
        "12 rows loaded",
        "a b: 12 rows loaded",
        "x a: 12 rows loaded",
        "a: rows",
        "a: the same as before, left as it is",
    ],
)
def test_what_only_looks_like_a_slice_is_none(event: str) -> None:
    assert rows(line(event)) == 0


@pytest.mark.parametrize(
    ("stated", "level"),
    [
        ("debug", "DEBUG"),
        ("info", "INFO"),
        ("WARNING", "WARNING"),
        ("error", "ERROR"),
        ("exception", "ERROR"),
        ("critical", "CRITICAL"),
        ("strange", "INFO"),
        (7, "INFO"),
    ],
)
def test_the_stated_level(stated: object, level: str) -> None:
    found, text = RunLog().read(json.dumps({"level": stated, "event": "words"}))
    assert (logging.getLevelName(found), text) == (level, "words")


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("check failed: bitcoin block 7", "ERROR"),
        ("no check failed: bitcoin block 7", "INFO"),
        ("ERROR creating model", "ERROR"),
        ("7 of 9 ERROR creating model", "ERROR"),
        ("7 of 9 FAIL 2 unique_x", "ERROR"),
        ("FAIL 2", "ERROR"),
        ("7 of FAIL 2", "INFO"),
        ("no ERROR", "INFO"),
        ("FAILED", "INFO"),
        ("Failure in test unique_x", "ERROR"),
        ("Runtime Error", "ERROR"),
        ("Database Error in model x", "ERROR"),
        ("Compilation Error in model x", "ERROR"),
        ("1 of 9 a Database Error", "INFO"),
        ("WARN 3", "WARNING"),
        ("7 of 9 WARN 3 unique_x", "WARNING"),
        ("[WARNING]: deprecated", "WARNING"),
        ("Warning in test", "WARNING"),
        ("Warnings", "INFO"),
        ("INFO | said", "INFO"),
        ("2026-01-01 | DEBUG | said", "DEBUG"),
        ("x [WARNING] said", "WARNING"),
        ("CRITICAL: said", "CRITICAL"),
        ("ERROR said", "ERROR"),
        ("an ERROR: said", "ERROR"),
        ("x ERROR said", "INFO"),
        ("TERROR: said", "INFO"),
        ("x" * 115 + " ERROR: far behind", "INFO"),
        ("x" * 112 + " ERROR: near", "ERROR"),
    ],
)
def test_a_plugins_text_states_its_true_level(text: str, level: str) -> None:
    assert logging.getLevelName(RunLog().read(line(text))[0]) == level
    assert logging.getLevelName(RunLog().read(text)[0]) == level
    # what is not passed on as information keeps its level
    assert RunLog().read(line(text, level="debug"))[0] == logging.DEBUG


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (line("words", "tap-a"), "tap-a: words"),
        (line("words", "meltano"), "words"),
        (line("words", None), "words"),
        (json.dumps({"event": "words", "name": "tap-b"}), "tap-b: words"),
        (json.dumps({"event": "words", "name": "tap-b", "string_id": "tap-a"}), "tap-a: words"),
        (line("METRIC", "tap-a"), ""),
        (line("", "tap-a"), ""),
        (line("   ", "tap-a"), ""),
        (json.dumps({"level": "info"}), ""),
        (line("\x1b[0m02:01:05  done\x1b[32m", None), "done"),
        (line("[0m02:01:05.123 done", None), "done"),
        (line("\x1b[0m  02:01:05  done  ", None), "done"),
        (line("at 02:01:05 done", None), "at 02:01:05 done"),
        (line("broke", None, exception="Traceback: x"), "broke\nTraceback: x"),
        (line("broke", None, exc_info="info: y"), "broke\ninfo: y"),
        (line("broke", None, exc_info="info: y", exception="Traceback: x"), "broke\nTraceback: x"),
        ("no json", "no json"),
        ("[1]", "[1]"),
        ('"text"', '"text"'),
    ],
)
def test_what_is_shown(given: str, shown: str) -> None:
    assert RunLog().read(given)[1] == shown


def test_the_last_errors_are_kept_and_nothing_else() -> None:
    log = RunLog()
    for number in range(7):
        log.read(line(f"bad {number}", "tap-a", level="error"))
        log.read(line(f"careful {number}", "tap-a", level="warning"))
    assert list(log.errors) == [f"tap-a: bad {number}" for number in range(2, 7)]
    log.read(line("worse", None, level="critical"))
    assert log.errors[-1] == "worse"
    log.read(line("", None, level="error"))
    assert log.errors[-1] == "worse"


def test_a_first_run_with_bookmarks_of_its_own_is_no_warning() -> None:
    """Each chain and day of a backfill has its own."""
    said = line("No state was found, complete import.", None, level="warning")
    assert logging.getLevelName(RunLog().read(said)[0]) == "INFO"
    assert logging.getLevelName(RunLog().read(said.replace("complete", "partial"))[0]) == "WARNING"


@pytest.mark.parametrize("status", ["success", "failure"])
def test_the_end_of_a_run_says_whether_it_failed(status: str) -> None:
    """Meltano logs both as information, and says so in a field alone."""
    assert RunLog().read(line("Run completed", None, status=status, duration_seconds=1.5))[1] == (
        f"Run completed: {status}"
    )


def cause(*lines: str) -> str:
    log = RunLog(loader=LOADER)
    for one in lines:
        log.read(one)
    return log.cause


BEGUN = line("Beginning sync of 'blocks'", "tap-a")
ENDED = line("Block run completed", None, level="error")
REFUSED = "PostgreSQL refused: connection failed: FATAL: password authentication failed. Mend it and run again."


def test_the_cause_is_the_sentence_of_the_part_that_failed() -> None:
    """Not what Meltano makes of it, nor what broke because of it."""
    loader, broken = line(REFUSED, level="error"), line("the pipe is broken", "tap-a", level="critical")
    assert cause(BEGUN, loader, broken, line("Loader failed", None, level="error"), ENDED) == f"{LOADER}: {REFUSED}"
    # Meltano's own traceback, where the loader was gone before its input was closed
    crash = line("", None, level="error", exception="Traceback ...\nBrokenPipeError")
    assert cause(BEGUN, loader, crash) == f"{LOADER}: {REFUSED}"
    tap = line("the key was refused (it says: no)", "tap-a", level="critical")
    half = line("a slice is not complete", level="error")
    assert cause(BEGUN, tap, half, line("Extractor failed", None, level="error"), ENDED) == (
        "tap-a: the key was refused (it says: no)"
    )
    wrong = [line("`plan` is wrong", "tap-a", level="error"), line("Config validation failed", "tap-a", level="error")]
    assert cause(*wrong, line("Extractor failed", None, level="error"), ENDED) == "tap-a: `plan` is wrong"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            ["Encountered an error:", "Database Error", '  connection failed: FATAL:  password "x"', "more"],
            'Database Error: connection failed: FATAL:  password "x"',
        ),
        (
            ["Database Error in model a (models/a.sql)", '  column "b" does not exist', "  LINE 5: b", ""],
            'Database Error in model a (models/a.sql): column "b" does not exist',
        ),
        (
            ["Runtime Error in model a (models/a.sql)", "  Database Error", "  no", "Failure in test t (x)", "  later"],
            "Runtime Error in model a (models/a.sql): Database Error: no",
        ),
        (["Encountered an error:", "Parsing Error", "  Env var required"], "Parsing Error: Env var required"),
    ],
)
def test_the_cause_of_a_failed_build_is_the_first_with_its_reason(said: list[str], reason: str) -> None:
    lines = [line(f"\x1b[0m02:00:00  {text}", "dbt-postgres") for text in ["Running with dbt", *said]]
    failed = line("Block run completed", None, level="error", err="`dbt-postgres run` failed with exit code: 2")
    assert cause(*lines, failed) == reason
    assert cause(*lines, line("check failed: block 7", "dbt-postgres"), failed) == "check failed: block 7"


def test_without_words_of_a_plugin_the_cause_is_meltanos_first_error() -> None:
    assert cause(BEGUN) == ""
    assert cause(line("no such plugin\nVisit ...", None, level="error"), ENDED) == "no such plugin"


def test_failed_checks_are_kept_once_and_up_to_fifty() -> None:
    log = RunLog()
    for number in (1, 1, *range(2, 61)):
        log.read(line(f"no check failed: block {number}"))
        log.read(line(f"\x1b[0m02:00:00  check failed: block {number}", "dbt-postgres"))
    assert log.failed_checks == [f"check failed: block {number}" for number in range(1, 51)]
