"""The manifest as the DAGs see it: blocks of a step, what plugins inherit, and manifests that are none."""

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_ext.errors import AirflowExtError
from airflow_ext.project import Plugin, Project, load_project, parse_project

from .conftest import PLUGINS


@pytest.fixture
def project() -> Project:
    return parse_project({"plugins": PLUGINS})


def blocks(project: Project, step: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(block.text, tuple(plugin.name for plugin in block.plugins)) for block in project.blocks(step)]


def test_a_step_is_split_into_blocks(project: Project) -> None:
    step = "tap-a hide target-postgres dbt-postgres:build  tap-plain mapper-x target-postgres dbt-postgres"
    assert blocks(project, step) == [
        ("tap-a hide target-postgres", ("tap-a", "target-postgres")),
        ("dbt-postgres:build", ("dbt-postgres",)),
        ("tap-plain mapper-x target-postgres", ("tap-plain", "target-postgres")),
        ("dbt-postgres", ("dbt-postgres",)),
    ]
    assert blocks(project, "") == []
    load, build = project.blocks("tap-a target-postgres dbt-postgres:build")
    assert (load.extractor, load.loader, load.dbt) == (*load.plugins, False)
    assert (build.extractor, build.loader, build.dbt) == (None, None, True)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("target-postgres", "`target-postgres` in `target-postgres` has no extractor; put one before it."),
        ("tap-a", "`tap-a` in `tap-a` has no loader; put one behind it."),
        ("tap-a tap-plain target-postgres", "`tap-a` in `tap-a tap-plain target-postgres` has no loader"),
        ("tap-a dbt-postgres:build", "`tap-a` in `tap-a dbt-postgres:build` has no loader"),
        ("tap-a hide", "`tap-a` in `tap-a hide` has no loader"),
        ("hide target-postgres", "`hide` in `hide target-postgres` stands behind no extractor; put one before it."),
        ("mapper-x", "`mapper-x` in `mapper-x` stands behind no extractor"),
        ("tap-a target-postgres hide", "`hide` in `tap-a target-postgres hide` stands behind no extractor"),
        (
            "tap-a target-postgres target-postgres",
            "`target-postgres` in `tap-a target-postgres target-postgres` has no ext",
        ),
        ("nope", "`nope` in `nope` is no plugin of this project"),
        ("hide:x", "`hide:x` in `hide:x` is no plugin of this project"),
        (
            "dbt-postgres:fly",
            "dbt-postgres has no command fly (`dbt-postgres:fly`); correct the job. Its commands: build, ",
        ),
        ("tap-a:x", "tap-a has no command x (`tap-a:x`); correct the job. Its commands: none."),
    ],
)
def test_a_step_that_is_no_row_of_blocks_is_reported(project: Project, step: str, said: str) -> None:
    with pytest.raises(AirflowExtError) as error:
        project.blocks(step)
    assert said in str(error.value)


def plugins(kind: str = "extractors", *entries: dict[str, Any]) -> dict[str, Plugin]:
    return dict(parse_project({"plugins": {kind: list(entries)}}).plugins)


def test_a_plugin_has_what_it_inherits_and_its_own_wins() -> None:
    found = plugins(
        "utilities",
        {
            "name": "base",
            "settings": [{"name": "key"}],
            "commands": {"run": {}},
            "annotations": {"airflow": {"pool": "wide", "x": 1}},
            "env": {"BASE_KEY": "of the base", "CHILD_2_KEY": "not its own"},
        },
        {
            "name": "child.2",
            "inherit_from": "base",
            "settings": [{"name": "more"}, {"name": "unset"}],
            "commands": {"look": {}},
            "annotations": {"airflow": {"pool": "narrow"}},
            "env": {"CHILD_2_KEY": 5, "CHILD_2_MORE": "y", "OTHER": "z"},
        },
        {"name": "grandchild", "inherit_from": "child.2"},
    )
    child = found["child.2"]
    assert (child.settings, child.commands) == ({"key", "more", "unset"}, {"run", "look"})
    assert child.airflow == {"pool": "narrow", "x": 1}
    assert child.values == {"key": "5", "more": "y"}
    assert child.variable("key") == "CHILD_2_KEY"
    assert child.kind == "utilities"
    grandchild = found["grandchild"]
    assert (grandchild.settings, grandchild.commands) == (child.settings, child.commands)
    assert grandchild.airflow == child.airflow
    assert grandchild.values == {}
    assert found["base"].airflow == {"pool": "wide", "x": 1}
    assert found["base"].values == {"key": "of the base"}


def test_plugins_that_inherit_in_a_circle_or_from_nothing_end() -> None:
    found = plugins(
        "extractors",
        {"name": "a", "inherit_from": "b", "settings": [{"name": "one"}]},
        {"name": "b", "inherit_from": "a", "settings": [{"name": "two"}]},
        {"name": "c", "inherit_from": "gone"},
    )
    assert found["a"].settings == found["b"].settings == {"one", "two"}
    assert found["c"].settings == frozenset()


@pytest.mark.parametrize(
    ("entry", "dbt"),
    [
        ({"name": "dbt"}, True),
        ({"name": "dbt-postgres"}, True),
        ({"name": "dbt_core"}, True),
        ({"name": "dbtish"}, False),
        ({"name": "my-dbt"}, False),
        ({"name": "builder", "executable": "dbt"}, True),
        ({"name": "builder", "executable": "python"}, False),
        ({"name": "builder", "executable": None}, False),
        ({"name": "data-docs", "inherit_from": "dbt-base", "executable": "python"}, False),
    ],
)
def test_what_is_dbt(entry: dict[str, Any], dbt: bool) -> None:  # noqa: FBT001
    assert plugins("utilities", entry, {"name": "dbt-base"})[entry["name"]].dbt is dbt


def test_jobs_and_schedules() -> None:
    manifest = {
        "jobs": [
            {"name": "load", "tasks": ["a b", ["c", "d"]], "annotations": {"airflow": {"retries": 1}}},
            {"name": "none", "annotations": {"other": {}}},
            {"name": "odd", "annotations": {"airflow": "fast"}},
            {"name": "text", "annotations": "airflow"},
        ],
        "schedules": [
            {
                "name": "s",
                "job": "load",
                "interval": " @daily ",
                "env": {"N": 1},
                "annotations": {"airflow": {"pool": "p"}},
            },
            {"name": "t", "extractor": "a", "loader": "b", "interval": None, "env": None},
        ],
    }
    found = parse_project(manifest)
    assert found.jobs["load"].steps == ("a b", "c d")
    assert [dict(found.jobs[name].airflow) for name in ("load", "none", "odd", "text")] == [
        *({"retries": 1}, {}, {"": "fast"}, {})
    ]
    assert found.jobs["none"].steps == ()
    first, second = found.schedules
    assert (first.name, first.job, first.interval, first.env, first.airflow) == (
        "s",
        "load",
        "@daily",
        {"N": "1"},
        {"pool": "p"},
    )
    assert (second.name, second.job, second.interval, second.env) == ("t", None, "@none", {})


@pytest.mark.parametrize(
    "manifest",
    [
        {"plugins": {"extractors": None}, "jobs": None, "schedules": None},
        {"plugins": {"mappers": [{"name": "m"}]}},
        {
            "plugins": {
                "extractors": [{"name": "a", "settings": None, "commands": None, "env": None, "annotations": None}]
            }
        },
        {},
    ],
)
def test_a_manifest_may_leave_things_out(manifest: dict[str, Any]) -> None:
    assert parse_project(manifest).mappings == frozenset()


@pytest.mark.parametrize("manifest", [[], {"jobs": [{}]}, {"jobs": [1]}, {"plugins": [1]}, {"schedules": 1}])
def test_what_is_no_manifest_is_reported(manifest: Any, tmp_path: Path) -> None:  # noqa: ANN401
    path = tmp_path / "meltano-manifest.local.json"
    path.write_text(json.dumps(manifest))
    with pytest.raises(AirflowExtError, match=r"not as `meltano compile` writes it .*airflow:manifest"):
        load_project(path)


def test_a_manifest_that_is_missing_or_broken_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "meltano-manifest.local.json"
    with pytest.raises(
        AirflowExtError, match=r"^meltano-manifest\.local\.json was never compiled; .*airflow:initialize"
    ):
        load_project(path)
    path.write_text("{")
    with pytest.raises(AirflowExtError, match=r"^meltano-manifest\.local\.json cannot be read .*airflow:manifest"):
        load_project(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(AirflowExtError, match="cannot be read"):
        load_project(path)
