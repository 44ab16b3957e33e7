"""kill -9 in the middle of a sync, resumed from the last state: no row is lost, none is twice."""

from __future__ import annotations

import gzip
import json
import random
import re
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

KILLS = 20
TABLES = ("blocks", "transactions", "outputs", "inputs")


def text_of(value: Any) -> Any:
    """Write a value as a dump does."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", value):
        return value[:19].replace("T", " ")
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if value is None else str(value)


def truth(dumps: str) -> dict[str, list[tuple[str, ...]]]:
    """Every row of every file, read without the tap."""
    rows: dict[str, list[tuple[str, ...]]] = {}
    for table in TABLES:
        found = rows.setdefault(f"bitcoin_{table}", [])
        page = requests.get(f"{dumps}/bitcoin/{table}/", timeout=60).text
        for name in re.findall(r'href="([^"]+\.tsv\.gz)"', page):
            content = requests.get(f"{dumps}/bitcoin/{table}/{name}", timeout=60).content
            found += [tuple(line.split("\t")) for line in gzip.decompress(content).decode().split("\n")[1:]]
    return rows


def run_tap(folder: Path, config: dict[str, Any], loader: Any, limit: int | None) -> tuple[int, bool]:
    """Run the tap, and kill it after so many bytes; give the bytes it wrote, and whether the kill came in time."""
    (folder / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "tap_blockchair", "--config", str(folder / "config.json")]
    if loader.state is not None:
        (folder / "state.json").write_text(json.dumps(loader.state))
        command += ["--state", str(folder / "state.json")]
    written = 0
    with (folder / "errors").open("w+b") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as tap:
            assert tap.stdout
            for line in tap.stdout:
                written += len(line)
                if line.endswith(b"\n"):  # a killed tap may leave half a line
                    loader.take(json.loads(line, parse_float=Decimal))
                if limit is not None and written >= limit:
                    tap.kill()
        errors.seek(0)
        assert tap.returncode == 0 or (limit is not None and tap.returncode == -signal.SIGKILL), errors.read().decode()
    return written, tap.returncode != 0


class Pipeline(NamedTuple):
    """A source, a configuration, and what an undisturbed run writes."""

    dumps: str
    folder: Path
    config: dict[str, Any]
    whole: Any
    size: int

    def run(self, loader: Any, limit: int | None) -> bool:
        return run_tap(self.folder, self.config, loader, limit)[1]

    def check(self, loader: Any) -> None:
        """No row is lost, none is twice."""
        for stream, expected in truth(self.dumps).items():
            added = {"_channel", "_unit", "_line", "_dump_day", "is_settled"}
            columns = [name for name in self.whole.tables[stream][0] if name not in added]
            found = sorted(tuple(text_of(row[name]) for name in columns) for row in loader.tables[stream])
            assert found == sorted(expected), stream
            assert len(expected) > 0
            assert len({(row["_unit"], row["_line"]) for row in loader.tables[stream]}) == len(expected)


@pytest.fixture(params=["records", "batches"])
def pipeline(request: pytest.FixtureRequest, simulator: Any, tmp_path: Path, loader: Any) -> Pipeline:
    config: dict[str, Any] = {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": simulator.dumps}
    config["download_dir"] = str(tmp_path / "downloads")
    if request.param == "batches":
        storage = {"root": (tmp_path / "batches").as_uri()}
        config["batch_config"] = {"encoding": {"format": "tsv", "compression": "gzip"}, "storage": storage}
    whole = loader()
    size, _ = run_tap(tmp_path, config, whole, None)
    return Pipeline(config["dumps_url"], tmp_path, config, whole, size)


def test_a_kill_in_the_middle(pipeline: Pipeline, loader: Any) -> None:
    for _ in range(KILLS):  # a run that ends before the kill comes shows nothing
        taken = loader()
        if pipeline.run(taken, pipeline.size // 2):
            break
    else:
        pytest.fail(f"{KILLS} runs ended before they were killed")
    assert taken.tables != pipeline.whole.tables
    assert not pipeline.run(taken, None)
    pipeline.check(taken)


@pytest.mark.long(part="kills")
def test_twenty_kills(pipeline: Pipeline, loader: Any, request: pytest.FixtureRequest) -> None:
    dice, taken, kills = random.Random(f"{request.node.name} 2009"), loader(), 0  # noqa: S311 (repeatable)
    for _ in range(10 * KILLS):
        if kills == KILLS:
            break
        if pipeline.run(taken, dice.randrange(1, 1 + pipeline.size // 4)):
            kills += 1
        else:  # all was there before the kill came: once more from the beginning
            pipeline.check(taken)
            taken = loader()
    assert kills == KILLS
    pipeline.run(taken, None)
    pipeline.check(taken)
