"""What `benchmarks/day.py` works out of the files of a build and of what psql says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import day
import pytest
from day import Compared, Day, Disk, Node, Step


def result(unique_id: str, seconds: float, status: str = "success", select: str | None = "select 1") -> dict[str, Any]:
    """A result of run_results.json."""
    return {"unique_id": unique_id, "execution_time": seconds, "status": status, "compiled_code": select}


def node(name: str, materialized: str = "") -> dict[str, Any]:
    """A node of manifest.json."""
    config = {"materialized": materialized}
    path = f"models/{name}.sql"
    return {"name": name, "schema": "analytics", "alias": f"the_{name}", "config": config, "original_file_path": path}


RESULTS = {
    "results": [
        result("model.crypto.fct", 2.5, select="select 1 as a -- the last one"),
        result("test.crypto.unique.0123", 9.0, "pass"),
        result("model.crypto.dim", 4.0, select="select 2"),
        result("model.crypto.bi", 0.5),
        result("model.crypto.held_back", 0.0, "skipped", None),
        result("operation.crypto.hook", 0.25),
    ]
}
MANIFEST = {
    "nodes": {
        "model.crypto.fct": node("fct", "changed_days"),
        "test.crypto.unique.0123": node("unique_of_fct", "test"),
        "model.crypto.dim": node("dim", "table"),
        "model.crypto.bi": node("bi", "view"),
        "model.crypto.held_back": node("held_back", "table"),
    }
}


def test_nodes_are_those_that_ran_the_slowest_first(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/fct.sql").write_text("select 1 as a -- of the changed days")
    nodes = day.nodes_of(RESULTS, MANIFEST, tmp_path)
    assert [(one.name, one.kind, one.seconds) for one in nodes] == [
        ("unique_of_fct", "test", 9.0),
        ("dim", "model", 4.0),
        ("fct", "model", 2.5),
        ("bi", "model", 0.5),
        ("operation.crypto.hook", "operation", 0.25),
    ]
    assert {one.name: (one.table, one.select) for one in nodes if one.table} == {
        "dim": ("analytics.the_dim", "select 2"),
        "fct": ("analytics.the_fct", "select 1 as a -- of the changed days"),
    }


def test_a_yardstick_times_the_select_and_the_indexes_and_nothing_else() -> None:
    script = day.yardstick_script(
        "\nselect 1 as a -- the last one;\n",
        (
            "CREATE UNIQUE INDEX x ON analytics.the_fct USING btree (a)",
            "CREATE INDEX y ON ONLY analytics.the_fct USING brin (a, lower(b)) WHERE (a > 1)",
        ),
    )
    _, timed, after = script.replace(r"\timing on", "|").replace(r"\timing off", "|").split("|")
    assert timed.strip().splitlines() == [
        "create unlogged table bench_day.yardstick as",
        "select 1 as a -- the last one",
        ";",
        "create unique index on bench_day.yardstick using btree (a);",
        "create index on bench_day.yardstick using brin (a, lower(b)) WHERE (a > 1);",
    ]
    assert after.strip() == "drop table bench_day.yardstick;"
    with pytest.raises(ValueError, match="No index"):
        day.yardstick_script("select 1", ("CREATE TABLE x (a int)",))


def test_the_seconds_of_a_yardstick_are_those_of_all_its_statements() -> None:
    said = "SELECT 12\nTime: 1234.500 ms (00:01.235)\nCREATE INDEX\nTime: 65.500 ms\nno Time: 9.000 ms\n"
    assert day.timed_seconds(said) == pytest.approx(1.3)
    assert day.made_rows(said) == 12
    assert day.timed_seconds("") == day.made_rows("") == 0


def test_the_report_has_ratios_and_what_a_raw_row_takes() -> None:
    disk = day.disk_of({"raw_data": 3 * 2**20, "analytics": 2**20}, 1024)
    assert [(one.schema, one.size, one.per_row) for one in disk] == [
        ("raw_data", 3 * 2**20, 3072),
        ("intermediate", 0, 0),
        ("staging", 0, 0),
        ("analytics", 2**20, 1024),
    ]
    assert day.disk_of({"raw_data": 5}, 0)[0] == Disk("raw_data", 5, 5)
    models = [Compared("fct", 3.0, 1.5, 1200), Compared("dim", 1.0, 0.5, 1), Compared("none", 1.0, 0.0, 0)]
    assert [one.ratio for one in models] == [2.0, 2.0, None]
    taken = [Step(2, 1.0, 1.0), Step(3, 9.0, 16.0), Step(9, 40.0, 60.0), Step(10, 10.0, 20.0)]
    slowest = [Node("unique_of_fct", "test", 9.0)]
    measured = Day(taken, 1024, 100, 10.0, 20.0, 5.0, models, slowest, disk)
    lines = [line.split() for line in day.report(measured, 3, "small").splitlines()]
    assert ["30.0", "s", "from", "dump", "files", "to", "marts"] in lines
    assert ["1.20", "day", "10", "against", "day", "3"] in lines
    assert ["60.0", "s", "build", "up", "to", "day", "9,", "load", "40.0", "s"] in lines
    assert ["fct", "3.00", "s", "1.50", "s", "2.00", "1,200"] in lines
    assert ["none", "1.00", "s", "0.00", "s", "-", "0"] in lines
    assert ["all", "of", "them", "5.00", "s", "2.00", "s", "2.50"] in lines
    assert ["9.00", "s", "test", "unique_of_fct"] in lines
    assert ["raw_data", "3", "MB", "3072", "bytes"] in lines
    content = day.as_json(measured, 3, "small")
    assert [one["ratio"] for one in content["models"]] == [2.0, 2.0, None]
    assert content["slowest"] == [{"name": "unique_of_fct", "kind": "test", "seconds": 9.0}]
    assert (content["raw_rows"], content["day_rows"], content["days"], content["shape"]) == (1024, 100, 3, "small")


def test_days_between_an_early_one_and_the_last_come_in_one_step() -> None:
    assert day.steps(1, 4, None) == [1, 1, 1]
    assert day.steps(1, 30, 3) == [1, 1, 26, 1]
    assert day.steps(3, 30, 3) == [26, 1]
    assert day.steps(5, 7, 3) == [1, 1]
    assert day.steps(1, 4, 3) == [1, 1, 1]


def test_every_shape_names_settings_of_the_simulator() -> None:
    names = {name for shape in day.SHAPES.values() for name in shape}
    assert names == {
        f"SIMULATOR_{name}" for name in ("BLOCKS_PER_DAY", "TRANSACTIONS_PER_BLOCK", "CALLS_PER_TRANSACTION")
    }
