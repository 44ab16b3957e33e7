"""What the contenders load: tiled dump days, and the messages that the project's own tap sends about them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from tiles import FIRST_HEIGHT, ROWS_PER_BLOCK, Tiling, tile

from loader_speed.environments import build, plain_environ
from loader_speed.errors import BenchError
from loader_speed.process import Usage, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

STREAM = "bitcoin_transactions"
MONTH = date(2024, 1, 1)
LAST_DAY = date(2024, 1, 31)
_BATCH = {"format": "tsv", "compression": "gzip"}


@dataclass(frozen=True)
class Dump:
    """One dump day: its file, what it holds, and its digest."""

    path: Path
    tiling: Tiling
    sha256: str

    @property
    def slice(self) -> str:
        """The slice's name."""
        return f"bitcoin/transactions/{self.tiling.day}"


@dataclass(frozen=True)
class Load:
    """Dump days that are loaded by one command, in order; `folder` holds their files and nothing else."""

    name: str
    dumps: tuple[Dump, ...]
    folder: Path

    @property
    def rows(self) -> int:
        """Rows of all days."""
        return sum(dump.tiling.rows for dump in self.dumps)


class Source:
    """Makes dump days, tiled from the sample's rows, and messages, each once, in a folder; the tap writes the log."""

    def __init__(self, folder: Path, sample: Path, log: Path) -> None:
        if not sample.is_file():
            raise BenchError(
                f"There are no rows to tile: {sample} is absent. Name a dump file of Bitcoin transactions with "
                "--sample, or the folder of samples in SAMPLES_DIR."
            )
        self._folder = folder
        self._sample = sample
        self._log = log
        self._loads: dict[str, Load] = {}
        self.tap: dict[str, Usage] = {}
        """What the tap took, by load and kind of messages."""

    def load(self, name: str, rows: int, *, days: int = 1, seed: str = "") -> Load:
        """Tile the last days of the month, up to the 31st; each has as many rows, and heights rise from day to day.

        The same name gives the same load; another seed gives other hashes.
        """
        each = rows // days
        return self._made(
            name,
            [
                Tiling(
                    each,
                    LAST_DAY - timedelta(days=days - 1 - number),
                    FIRST_HEIGHT + number * (each // ROWS_PER_BLOCK + 1),
                    seed,
                )
                for number in range(days)
            ],
        )

    def earlier(self, name: str, rows_a_day: int) -> Load:
        """Tile the month's first 30 days."""
        blocks = rows_a_day // ROWS_PER_BLOCK + 1
        below = FIRST_HEIGHT - 30 * blocks
        days = range(30)
        return self._made(
            name, [Tiling(rows_a_day, MONTH + timedelta(days=n), below + n * blocks, f"{n}-") for n in days]
        )

    def messages(self, load: Load, kind: str) -> Path:
        """Let the tap read a load's files; gives a file of its Singer messages, of the kind `batch` or `records`."""
        path = self._folder / f"{load.name}.{kind}.singer"
        key = f"{load.name} {kind}"
        if key not in self.tap:
            folder = self._folder / f"{load.name}.{kind}.tap"
            folder.mkdir(parents=True, exist_ok=True)
            config: dict[str, Any] = {
                "chains": ["bitcoin"],
                "channel": "dumps",
                "dumps_url": load.folder.as_uri(),
                "start_date": str(load.dumps[0].tiling.day),
            }
            if kind == "batch":
                config["batch_config"] = {"encoding": _BATCH, "storage": {"root": folder.as_uri()}}
            settings, catalog = folder / "config.json", folder / "catalog.json"
            settings.write_text(json.dumps(config))
            tap = [str(build("tap") / "tap-blockchair"), "--config", str(settings)]
            environ = plain_environ()
            run([*tap, "--discover"], environ=environ, log=self._log, stdout=catalog)
            catalog.write_text(json.dumps(_only(STREAM, json.loads(catalog.read_text()))))
            self.tap[key] = run([*tap, "--catalog", str(catalog)], environ=environ, log=self._log, stdout=path)
        return path

    def schema(self, load: Load) -> dict[str, Any]:
        """The stream's JSON schema, as the tap announces it."""
        with self.messages(load, "batch").open() as lines:
            found: dict[str, Any] = json.loads(next(lines))["schema"]
        return found

    def _made(self, name: str, tilings: Sequence[Tiling]) -> Load:
        if name not in self._loads:
            folder = self._folder / name
            folder.mkdir(parents=True, exist_ok=True)
            self._loads[name] = Load(name, tuple(self._dump(tiling, folder) for tiling in tilings), folder)
        return self._loads[name]

    def _dump(self, tiling: Tiling, folder: Path) -> Dump:
        path = tile(self._sample, tiling, folder)
        with path.open("rb") as file:
            return Dump(path, tiling, hashlib.file_digest(file, "sha256").hexdigest())


def sql_type(schema: Mapping[str, Any]) -> str:
    """Translate a property of a JSON schema as the project's raw tables do."""
    kind = schema["type"]
    kinds: Sequence[str] = [kind] if isinstance(kind, str) else kind
    if schema.get("format") == "date-time":
        return "timestamp with time zone"
    if schema.get("format") == "date":
        return "date"
    names = {"integer": "bigint", "number": "numeric", "boolean": "boolean"}
    return next((names[kind] for kind in kinds if kind in names), "text")


def _only(stream: str, catalog: dict[str, Any]) -> dict[str, Any]:
    catalog["streams"] = [entry for entry in catalog["streams"] if entry["tap_stream_id"] == stream]
    return catalog
