"""Twenty kill -9 in the middle of a sync, each resumed from the last state: no row is lost, none is twice."""

# ruff: noqa: ANN401 (JSON values)

from __future__ import annotations

import gzip
import json
import os
import random
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS = 20
TABLES = ("blocks", "transactions", "outputs", "inputs")


class Collector:
    """A loader in memory that replaces by unit, as `docs/units.md` tells it to."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.state: dict[str, Any] | None = None
        self._unit: dict[str, dict[str, Any]] = {}

    def take(self, line: bytes) -> None:
        message = json.loads(line, parse_float=Decimal)
        kind, stream = message["type"], message.get("stream")
        if kind == "STATE":
            self.state = message["value"]
        elif kind == "RECORD":
            self.rows[stream].append({name: text_of(value) for name, value in message["record"].items()})
        elif kind == "SCHEMA" and (unit := message["schema"].get("x-unit")):
            self._unit[stream] = unit
            column, start, stop = unit["column"], text_of(unit["from"]), text_of(unit["to"])
            self.rows[stream] = [row for row in self.rows.get(stream, []) if not start <= row[column] < stop]
        elif kind == "BATCH":
            self.rows[stream] += list(self.unpack(message["manifest"], self._unit[stream]))

    @staticmethod
    def unpack(manifest: list[str], unit: dict[str, Any]) -> Iterator[dict[str, Any]]:
        (url,) = manifest
        lines = gzip.decompress(Path(unquote(urlsplit(url).path)).read_bytes()).decode().split("\n")
        for number, line in enumerate(lines[1:], 2):
            row = dict(zip(lines[0].split("\t"), line.split("\t"), strict=True))
            added = {name: text_of(value) for name, value in {**unit["constants"], "_line": number}.items()}
            yield {**row, **added}


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
        page = requests.get(f"{dumps}/bitcoin/{table}/", timeout=30).text
        for name in re.findall(r'href="([^"]+\.tsv\.gz)"', page):
            content = requests.get(f"{dumps}/bitcoin/{table}/{name}", timeout=30).content
            found += [tuple(line.split("\t")) for line in gzip.decompress(content).decode().split("\n")[1:]]
    return rows


def run_tap(folder: Path, config: dict[str, Any], collector: Collector, limit: int | None) -> int:
    """Run the tap, and kill it after so many bytes; give the bytes it wrote."""
    (folder / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "tap_blockchair", "--config", str(folder / "config.json")]
    if collector.state is not None:
        (folder / "state.json").write_text(json.dumps(collector.state))
        command += ["--state", str(folder / "state.json")]
    written = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tap:
        assert tap.stdout
        assert tap.stderr
        for line in tap.stdout:
            written += len(line)
            if line.endswith(b"\n"):  # a killed tap may leave half a line
                collector.take(line)
            if limit is not None and written >= limit:
                tap.kill()
        errors = tap.stderr.read().decode()
    assert limit is not None or tap.returncode == 0, errors
    return written


@pytest.mark.parametrize("way", ["records", "batches"])
def test_twenty_kills(simulator: str, tmp_path: Path, way: str) -> None:
    dice = random.Random(f"{way} 2009")  # noqa: S311 (a repeatable test)
    kills = KILLS if way == "records" and os.environ.get("CI") != "true" else 6
    dumps = f"{simulator}/dumps"
    config: dict[str, Any] = {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": dumps}
    config["download_dir"] = str(tmp_path / "downloads")
    if way == "batches":
        storage = {"root": (tmp_path / "batches").as_uri()}
        config["batch_config"] = {"encoding": {"format": "tsv", "compression": "gzip"}, "storage": storage}
    whole = Collector()
    size = run_tap(tmp_path, config, whole, None)
    collector = Collector()
    for _ in range(kills):
        run_tap(tmp_path, config, collector, dice.randrange(1, 1 + size // 4))
    run_tap(tmp_path, config, collector, None)
    for stream, expected in truth(dumps).items():
        columns = [name for name in whole.rows[stream][0] if name not in {"_channel", "_unit", "_line", "_dump_day"}]
        columns = [name for name in columns if name != "is_settled"]
        found = sorted(tuple(row[name] for name in columns) for row in collector.rows[stream])
        assert found == sorted(expected), stream
        assert len(expected) > 0
        assert len({(row["_unit"], row["_line"]) for row in collector.rows[stream]}) == len(expected)
