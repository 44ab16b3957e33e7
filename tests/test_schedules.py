"""The jobs and schedules shipped are those of docs/guides/schedules.md."""

import re
from typing import Any

import pytest
import yaml

from checkout import PROJECT

TEXT = (PROJECT / "docs/guides/schedules.md").read_text()


def project() -> dict[str, Any]:
    """What meltano.yml says."""
    found: dict[str, Any] = yaml.safe_load((PROJECT / "meltano.yml").read_text())
    return found


def in_words(interval: str) -> str:
    """A schedule's five fields as the page says them; what it has no words for is returned as it is."""
    minute, hour, *days = interval.split()
    match hour, days:
        case "*", ["*", "*", "*"]:
            return f"every hour, at :{int(minute):02}"
        case _, ["*", "*", "*"]:
            return f"{int(hour):02}:{int(minute):02}"
        case _, ["*", "*", "0"]:
            return f"Sunday, {int(hour):02}:{int(minute):02}"
    return interval


def test_the_schedules_are_those_of_the_docs() -> None:
    rows = re.findall(r"^\| `([a-z]+-[a-z]+)` \| `([a-z-]+)` \| ", TEXT, re.MULTILINE)
    assert rows == [(schedule["name"], schedule["job"]) for schedule in project()["schedules"]]
    assert len(rows) == 5


def test_the_times_are_those_of_the_docs() -> None:
    said = dict(re.findall(r"^\| `([a-z]+-[a-z]+)` \| `[a-z-]+` \| ([^|]+) \| ", TEXT, re.MULTILINE))
    assert {schedule["name"]: in_words(schedule["interval"]) for schedule in project()["schedules"]} == said


def test_every_schedule_has_a_job_and_only_a_person_runs_the_rest() -> None:
    jobs = {job["name"] for job in project()["jobs"]}
    former = {"catalogue", "upkeep"}
    assert jobs - {schedule["job"] for schedule in project()["schedules"]} == {"data-docs", "crypto-elt"} | former
    assert {schedule["job"] for schedule in project()["schedules"]} <= jobs


@pytest.mark.parametrize(("former", "now"), [("catalogue", "data-docs"), ("upkeep", "maintenance")])
def test_a_job_does_the_same_under_its_former_name(former: str, now: str) -> None:
    tasks = {job["name"]: job["tasks"] for job in project()["jobs"]}
    assert tasks[former] == tasks[now]


def test_a_download_has_no_time_limit_and_everything_else_has_one() -> None:
    limits = {schedule["name"]: schedule["annotations"]["airflow"]["timeout"] for schedule in project()["schedules"]}
    assert [name for name, limit in limits.items() if limit is None] == ["dumps-daily"]


def test_the_pools_are_those_of_the_docs() -> None:
    said = {
        (plugin, pool)
        for pool, plugins in re.findall(r"^\| `(\w+)` \| ((?:`[a-z-]+`(?:, )?)+) \|", TEXT, re.MULTILINE)
        for plugin in re.findall(r"`([a-z-]+)`", plugins)
    }
    found = set()
    for name in ("extract/extractors", "transform/utilities"):
        for plugins in yaml.safe_load((PROJECT / f"{name}.meltano.yml").read_text())["plugins"].values():
            for plugin in plugins:
                pool = plugin.get("annotations", {}).get("airflow", {}).get("pool")
                found |= {(plugin["name"], pool)} if pool else set()
    assert said == found
