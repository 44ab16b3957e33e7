"""What a person is told of Meltano's log."""

import json

import pytest

from console.pipeline import plain, progress_words, reason


def said(who: str, event: str, level: str = "info") -> str:
    return plain(json.dumps({"level": level, "string_id": who, "event": event}))


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
    assert said("dbt-postgres", "\x1b[0m09:50:39  Done") == "info     dbt-postgres             09:50:39  Done"
    assert plain("not json at all\n") == "not json at all"


def test_the_reason_of_a_failure_is_the_plugins_own_last_word() -> None:
    lines = [
        said("tap-blockchair", "Beginning sync of 'bitcoin_blocks'"),
        said("tap-blockchair", "cannot reach http://127.0.0.1:1/dumps", "critical"),
        said("meltano", "Run invocation could not be completed as block failed: Extractor failed", "error"),
    ]
    assert "cannot reach http://127.0.0.1:1/dumps" in reason(lines)
