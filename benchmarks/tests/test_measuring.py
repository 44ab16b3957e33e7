"""Files, processes and the report."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from loader_speed import cli, report
from loader_speed.contenders import Bench
from loader_speed.data import Source
from loader_speed.errors import BenchError
from loader_speed.process import Usage, run
from loader_speed.scenarios import Figure, Plan, Sizes, Step
from loader_speed.server import Server
from tiles import Tiling, read_sample, tile

SIZES = Sizes()


def test_a_tiled_file_repeats_the_sample_but_for_height_hash_and_time(sample: Path, tmp_path: Path) -> None:
    names, rows = read_sample(sample)
    tiling = Tiling(7000)
    path = tile(sample, tiling, tmp_path)
    assert path.name == "blockchair_bitcoin_transactions_20240101.tsv.gz"
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    assert lines[0].split("\t") == names
    assert len(lines) == 1 + 7000
    fields = [line.split("\t") for line in lines[1:]]
    assert [row[3:] for row in fields] == [rows[number % 3][3:] for number in range(7000)]
    assert [int(row[0]) for row in fields] == [800_000 + number // 2500 for number in range(7000)]
    assert len({row[1] for row in fields}) == 7000
    times = [row[2] for row in fields]
    assert times == sorted(times)
    assert times[0] == "2024-01-01 00:00:00"
    assert times[-1].startswith("2024-01-01 23:59:")


def test_another_seed_makes_another_file_of_the_same_rows(sample: Path, tmp_path: Path) -> None:
    contents = []
    for seed in ("", "changed-", ""):
        path = tile(sample, Tiling(100, seed=seed), tmp_path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[2] != contents[1]


def test_a_whole_process_tree_is_measured(tmp_path: Path) -> None:
    inner = "x = bytearray(120_000_000); import time; time.sleep(1); sum(range(5_000_000))"
    outer = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], check=True)"
    command = [sys.executable, "-c", outer, "-c", inner]
    usage = run(command, environ=os.environ, log=tmp_path / "log", programs=(Path(sys.executable).name,))
    assert usage.seconds >= 1
    assert 120 < usage.peak_mb < 300
    assert usage.cpu_seconds > 0.03
    assert usage.programs[Path(sys.executable).name] > 120


def test_a_failing_command_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="status 3:\n  the reason"):
        run(["sh", "-c", "echo the reason >&2; exit 3"], environ=os.environ, log=tmp_path / "log")
    with pytest.raises(BenchError, match="could not be started"):
        run([str(tmp_path / "absent")], environ=os.environ, log=tmp_path / "log")


def test_the_load_step_begins_when_a_command_reads(tmp_path: Path) -> None:
    messages, log = tmp_path / "messages", tmp_path / "log"
    messages.write_text("the first\nthe second\n")
    code = "import sys, time; time.sleep(1); sys.stderr.write(sys.stdin.read()); time.sleep(0.3)"
    usage = run([sys.executable, "-c", code], environ=os.environ, log=log, stdin=messages, fed=True)
    assert log.read_text() == messages.read_text()
    assert usage.step_seconds is not None
    assert 0.3 <= usage.step_seconds <= usage.seconds - 1
    with pytest.raises(BenchError, match="status 3"):
        run(["sh", "-c", "exit 3"], environ=os.environ, log=log, stdin=messages, fed=True)


def figure(
    scenario: str, rows: int, seconds: float, peak: float = 50, step: float | None = None, **programs: float
) -> Figure:
    named = {name.replace("_", "-"): size for name, size in programs.items()}
    return Figure(scenario, "somewhere", "somebody", rows, Usage(seconds, seconds / 2, peak, named, step))


def test_medians_and_ratios() -> None:
    million = SIZES.medium
    lines = report.summarise(
        [
            *(figure("yardstick", million, seconds) for seconds in (5, 4, 90)),
            *(figure("fresh", million, seconds, peak) for seconds, peak in ((4, 60), (100, 180), (2, 70))),
            figure("stock", SIZES.slow, 25),
        ]
    )
    by_key = {line.scenario: line for line in lines}
    assert [by_key[key].seconds for key in ("yardstick", "fresh", "stock")] == [5, 4, 25]
    assert by_key["fresh"].ratio == pytest.approx(1.25)
    assert by_key["fresh"].rows_per_second == pytest.approx(250_000)
    assert by_key["fresh"].cpu_seconds == pytest.approx(2)
    assert by_key["fresh"].peak_mb == pytest.approx(180)
    assert by_key["stock"].ratio is None
    assert by_key["fresh"].runs == 3


def test_goals_compare_the_right_sizes_and_say_what_was_missed() -> None:
    large, medium = SIZES.large, SIZES.medium
    figures = [
        figure("yardstick", large, 25),
        figure("fresh", large, 20, step=19),
        figure("yardstick-bare", large, 19.95),
        figure("yardstick", medium, 5),
        figure("fresh", medium, 4, step=2),
        figure("month", medium, 10, step=8),
        figure("huge", SIZES.huge, 100, peak=150, step=50),
        figure("stock", SIZES.slow, 25),
        figure("record", SIZES.slow, 5),
        figure("whole", large, 50, tap_blockchair=90, target_postgres_copy=250),
    ]
    aims = report.goals(report.summarise(figures), figures, {"1 batch": Usage(1, 1, 80)}, SIZES)
    found = {aim.name: (round(aim.found, 3), aim.is_met) for aim in aims if aim.found is not None}
    assert found == {
        "BATCH load step, 5,000,000 rows into a fresh month, against the yardstick": (1.316, True),
        "BATCH load step, 1,000,000 rows into a month of 30 days of 100,000, against the yardstick": (0.625, False),
        "BATCH of 5,000,000 rows against the stock loader's 100,000": (62.5, True),
        "RECORD against the stock loader, 100,000 rows": (5, True),
        "load step, rows/s at 20,000,000 rows against 1,000,000": (0.8, False),
        "peak memory of the tap, BATCH, MB": (90, True),
        "peak memory of the loader, BATCH, MB": (250, False),
        "meltano run, whole command, 5,000,000 rows, against the yardstick": (0.5, False),
    }
    assert [round(aim.bare, 3) for aim in aims if aim.bare is not None] == [1.05, 0.399]
    text = report.as_text(report.summarise(figures), aims)
    assert re.search(r"against the bare one 1\.05\) +yes", text)
    assert "250,000" in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("  ")].count("NO") == 4


def test_rounds_alternate(capsys: pytest.CaptureFixture[str]) -> None:
    def step(key: str) -> Step:
        def go() -> Iterator[Figure]:
            yield figure(key, 10, 1)

        return Step((key,), go)

    found = cli.measure([step("yardstick"), step("fresh"), step("yardstick")], 2)
    assert [each.scenario for each in found] == ["yardstick", "fresh", "yardstick"] * 2


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["yardstick"], "yardstick yardstick"),
        (["stock", "fresh"], "stock fresh fresh"),
        (["yardstick", "fresh"], "yardstick fresh yardstick fresh"),
        (["yardstick", "month", "whole"], "yardstick month+reload yardstick whole"),
        (["reload"], "month+reload"),
        (["yardstick", "huge", "days"], "yardstick yardstick huge days"),
        (
            list(cli.SCENARIOS),
            "record stock pipelinewise"  # noqa: ISC004 - round by round
            " yardstick fresh verify yardstick yardstick-bare dlt-append yardstick dlt-merge yardstick month+reload"
            " yardstick fresh verify yardstick yardstick-bare dlt-append yardstick dlt-merge yardstick whole huge days",
        ),
    ],
)
def test_the_yardstick_runs_beside_what_is_compared_with_it(
    wanted: list[str], expected: str, server: Server, sample: Path, tmp_path: Path
) -> None:
    bench = Bench(server, Source(tmp_path, sample, tmp_path / "log"), sample, tmp_path)
    assert " ".join("+".join(step.keys) for step in Plan(bench, SIZES).steps(wanted)) == expected


def test_a_full_disk_is_reported_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000_000_000))
    monkeypatch.setattr(cli, "_run", lambda *_: pytest.fail("it went on"))
    assert cli.main(["--folder", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "Loading 20,000,000 rows takes about 22 GB" in said
    assert "10 GB are free" in said
    assert list(tmp_path.iterdir()) == []


def test_an_absent_folder_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--folder", str(tmp_path / "absent")]) == 1
    assert "Name another --folder" in capsys.readouterr().err


def test_a_small_part_needs_little_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000_000_000))
    ran: list[str] = []
    monkeypatch.setattr(cli, "_run", lambda given, *_: ran.extend(given.only))
    assert cli.main(["--folder", str(tmp_path), "--only", "stock,record"]) == 0
    assert ran == ["stock", "record"]


def test_an_absent_sample_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="--sample"):
        Source(tmp_path, tmp_path / "absent.tsv.gz", tmp_path / "log")
