"""What a person sees of Meltano's log."""

import json

import pytest

from console.log import LogLine, progress_words, reason
from console.summary import Contents, _outcome, _table
from console.terminal import out, step


def said(who: str, event: str, level: str = "info", **more: object) -> LogLine:
    return LogLine.read(json.dumps({"level": level, "string_id": who, "event": event, **more}))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("Beginning sync of 'bitcoin_blocks' in incremental mode", ("loading bitcoin_blocks", True)),
        (
            "bitcoin_blocks: day 2025-01-03 done (3 of 14), 24 rows from 5653 bytes.",
            ("loading bitcoin_blocks, 2025-01-03 (day 3 of 14)", False),
        ),
        ("09:50:36  1 of 75 OK created sql view model", ("building and testing models, 1 of 75", True)),
        ("09:50:36  66 of 75 PASS unique", ("building and testing models, 66 of 75", False)),
        ("09:50:36  66 of 75 START test", None),
        ("Reading state from Database", None),
    ],
)
def test_progress_is_read_from_the_log(event: str, words: object) -> None:
    assert progress_words(said("any", event)) == words


def test_a_line_of_the_log_says_who_and_loses_its_colours() -> None:
    assert str(said("dbt-postgres", "\x1b[0m09:50:39  Done")) == "info     dbt-postgres     09:50:39  Done"
    assert str(LogLine.read("not json at all\n")) == "not json at all"


def test_the_end_of_a_run_says_whether_it_failed() -> None:
    assert said("", "Run completed", status="failure").text == "Run completed: failure"


def test_what_a_source_says_controls_no_terminal_and_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e[red]x[/bold]\\ [link=http://x]y"
    shown = r"\x1b[2J\x1b]0;title\x07\x9b31m\u202e[red]x[/bold]\ [link=http://x]y"
    assert said("target-postgres", hostile).text == LogLine.read(hostile).text == shown
    with step("doing", "done") as doing:
        doing.progress(hostile, True)
    out.print(_outcome("Recipients, bitcoin", (1, 0, 1), hostile))
    out.print(_table("raw", [Contents(hostile, 1, "")]))
    printed = capsys.readouterr().out
    assert printed.count(shown) == 3
    assert all(letter.isprintable() or letter == "\n" for letter in printed)


def test_a_failed_installation_is_reported_with_its_cause() -> None:
    details = (
        "Using Python 3.11\nerror: Request failed\n  cause: Failed to fetch: http://127.0.0.1:1/x/\n  cause: refused\n"
    )
    state = {"plugin_name": "tap-coingecko", "status": "error", "details": details}
    line = json.dumps({"level": "error", "event": "Installation failed. Command failed.", "install_state": state})
    assert reason([LogLine.read(line)]) == "tap-coingecko: Request failed; Failed to fetch: http://127.0.0.1:1/x/"


KILLED = "was killed by signal 9, as the system does where memory runs out; give it more, and run again"
FAILURES = {
    "a killed tap": (
        [
            said("tap-blockchair", "bitcoin_blocks: day 2025-01-03 done (3 of 14), 24 rows from 5653 bytes."),
            said("meltano", "Block run completed", "error", err="Extractor failed", exit_codes={"extractors": -9}),
        ],
        f"the tap {KILLED}",
    ),
    "a killed loader, of which its tap complains": (
        [
            said("tap-blockchair", "broken pipe", "error"),
            said(
                "meltano",
                "Block run completed",
                "error",
                err="Extractor and loader failed",
                exit_codes={"extractors": 1, "loaders": -9},
            ),
        ],
        f"the loader {KILLED}",
    ),
    "a killed dbt": (
        [
            said("dbt-postgres", "09:50:36  66 of 75 START test"),
            said("meltano", "Block run completed", "error", err="`dbt-postgres build` failed with exit code: -9"),
        ],
        f"dbt-postgres {KILLED}",
    ),
    "a model that finds no space": (
        [
            said("dbt-postgres", "09:50:39  Failure in model dim_date (models/a.sql)"),
            said("dbt-postgres", "09:50:39    Database Error in model dim_date (models/a.sql)"),
            said("dbt-postgres", '  could not extend file "base/5/16384": No space left on device'),
            said("dbt-postgres", "  HINT:  Check free disk space."),
            said("dbt-postgres", "  compiled code at target/compiled/crypto/models/a.sql"),
            said("meltano", "Block run completed", "error", err="`dbt-postgres build` failed with exit code: 1"),
        ],
        (
            "Failure in model dim_date (models/a.sql) Database Error in model dim_date (models/a.sql) "
            'could not extend file "base/5/16384": No space left on device HINT:  Check free disk space.'
        ),
    ),
    "a setting the SDK refuses": (
        [
            said("tap-blockchair", "'pigeon' is not one of ['auto', 'dumps', 'api'] in config['channel']"),
            said("tap-blockchair", "Config validation failed"),
            said("target-postgres", "Reader 'target-postgres' completed processing 0 lines of input"),
            said("meltano", "Extractor failed", "error"),
            said("meltano", "Block run completed", "error"),
        ],
        "'pigeon' is not one of ['auto', 'dumps', 'api'] in config['channel']",
    ),
    "a setting refused at discovery, which Meltano passes on as it is": (
        [
            LogLine.read("start_date 'nonsense' is not a date: write it as YYYY-MM-DD."),
            LogLine.read("sys:1: ResourceWarning: unclosed file"),
            said("meltano", "Block run completed", "error"),
        ],
        "start_date 'nonsense' is not a date: write it as YYYY-MM-DD.",
    ),
    "a loader that refuses": (
        [
            said("tap-blockchair", "bitcoin_blocks: day 2025-01-03 done (3 of 14), 24 rows from 5653 bytes."),
            said("target-postgres", "this warehouse holds live data"),
            said("meltano", "Loader failed", "error"),
            said("meltano", "Block run completed", "error"),
        ],
        "this warehouse holds live data",
    ),
    "a test of the models": (
        [
            said("dbt-postgres", "09:50:36  6 of 75 FAIL 1 assert_no_integrity_failures"),
            said("dbt-postgres", "09:50:39  Failure in test assert_no_integrity_failures (tests/a.sql)"),
            said("dbt-postgres", "09:50:39    Got 1 result, configured to fail if != 0"),
            said("dbt-postgres", "09:50:39  Done. PASS=60 WARN=0 ERROR=1 SKIP=14 NO-OP=0 TOTAL=75"),
            said("meltano", "Block run completed", "error"),
        ],
        "Failure in test assert_no_integrity_failures (tests/a.sql) Got 1 result, configured to fail if != 0",
    ),
    "a model that PostgreSQL refuses, in several lines": (
        [
            said("dbt-postgres", "\x1b[0m09:50:39  \x1b[31mFailure in model dim_date (models/a.sql)\x1b[0m"),
            said("dbt-postgres", "\x1b[0m09:50:39    Database Error in model dim_date (models/a.sql)"),
            said("dbt-postgres", "  division by zero"),
            said("dbt-postgres", '  CONTEXT:  SQL function "weight" statement 1'),
            said("dbt-postgres", "  compiled code at target/compiled/crypto/models/a.sql"),
            said("dbt-postgres", "\x1b[0m09:50:39"),
            said("dbt-postgres", "\x1b[0m09:50:39  Done. PASS=60 WARN=0 ERROR=1 SKIP=14 NO-OP=0 TOTAL=75"),
            said("meltano", "Block run completed", "error"),
        ],
        (
            "Failure in model dim_date (models/a.sql) Database Error in model dim_date (models/a.sql) "
            'division by zero CONTEXT:  SQL function "weight" statement 1'
        ),
    ),
    "a table of an older release": (
        [
            said("dbt-postgres", "09:50:39  Failure in model int_blocks_daily (models/a.sql)"),
            said("dbt-postgres", "09:50:39    Compilation Error in model int_blocks_daily (models/a.sql)"),
            said(
                "dbt-postgres",
                "                The source and target schemas on this incremental model are out of sync!",
            ),
            said("dbt-postgres", "                They can be reconciled in several ways:"),
            said("meltano", "Block run completed", "error"),
        ],
        (
            "Failure in model int_blocks_daily (models/a.sql) "
            "Compilation Error in model int_blocks_daily (models/a.sql) "
            "This release has other columns in that model than its table: run `meltano invoke dbt-postgres:build "
            "--full-refresh` once."
        ),
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_the_reason_of_a_failure_is_the_failing_parts_own_last_word(failure: str) -> None:
    lines, expected = FAILURES[failure]
    assert reason(lines) == expected
