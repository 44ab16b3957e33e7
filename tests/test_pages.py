"""Pages explain what a program shows that looks wrong, and name commands by which it shows what is asked for."""

import json
import re
import subprocess
from fnmatch import fnmatchcase

import pytest

from airflow_ext.supervisor import COMPONENTS
from checkout import PROJECT, working_tree
from tap_blockchair.selection import stream_names

TAPS = ("tap-blockchair", "tap-coingecko")


def page(name: str) -> str:
    """A page's words, whatever its lines."""
    return " ".join((PROJECT / "docs/guides" / name).read_text().split())


def test_the_page_airflow_explains_the_red_triggerer() -> None:
    assert "triggerer" not in COMPONENTS, "none is started"
    said = page("airflow.md")
    assert "Airflow's home page shows the triggerer in red. That is no fault: no task of this project needs" in said
    assert "Airflow's own backfill is switched off for the schedules." in said


def test_the_page_of_times_says_that_a_run_may_start_at_once() -> None:
    said = page("what-runs-by-the-clock.md")
    assert "Airflow starts a run now when a time of the new schedule has passed since the last run" in said
    assert "and when you switch a paused DAG on" in said


def test_the_values_for_select_name_streams() -> None:
    said_of_select = (PROJECT / "docs/guides/add-data.md").read_text()
    given = {
        tap: {word for found in re.findall(rf"{tap}__SELECT='(.*)'", said_of_select) for word in json.loads(found)}
        for tap in ("TAP_BLOCKCHAIR", "TAP_COINGECKO")
    }
    given["TAP_BLOCKCHAIR"] |= set(re.findall(r"`((?:\*|ethereum)_\w+\.\*)`", said_of_select))
    said = subprocess.run([PROJECT / ".venv-dev/bin/tap-coingecko", "--discover"], capture_output=True, check=True)
    there = {
        "TAP_BLOCKCHAIR": stream_names(),
        "TAP_COINGECKO": [stream["tap_stream_id"] for stream in json.loads(said.stdout)["streams"]],
    }
    assert min(map(len, given.values())) >= 3
    for tap, words in given.items():
        for word in words:
            pattern = word.removeprefix("!").partition(".")[0]
            assert any(fnmatchcase(name, pattern) for name in there[tap]), word


def test_every_page_that_names_about_asks_for_the_form_that_has_descriptions() -> None:
    pages = [name for name in working_tree("*.md") if "--about" in (PROJECT / name).read_text()]
    assert len(pages) >= 4
    for name in pages:
        assert set(re.findall(r"--about\b(?! --format=markdown)", (PROJECT / name).read_text())) == set(), name


@pytest.mark.parametrize("tap", TAPS)
def test_a_taps_page_says_how_meltano_asks_what_is_not_on_the_path(tap: str) -> None:
    readme = (PROJECT / f"extract/{tap}/README.md").read_text()
    assert f"`meltano invoke {tap} --about --format=markdown`" in readme


@pytest.mark.parametrize("tap", TAPS)
def test_about_in_markdown_has_each_settings_description(tap: str) -> None:
    words = [PROJECT / ".venv-dev/bin" / tap, "--about", "--format=markdown"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    table = said.split("| Setting ", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]
    assert len(rows) > 10
    assert [name for name, *_, description in rows if len(description) < 10] == []
