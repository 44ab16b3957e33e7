"""What the README documents of streams, keys, settings, points and files is what the tap does."""

from __future__ import annotations

import io
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tap_blockchair.quota import estimate
from tap_blockchair.tap import TapBlockchair

README = (Path(__file__).parents[1] / "README.md").read_text()
UTXO = ("bitcoin", "dogecoin", "bitcoin-sv")
CHAINS = (*UTXO, "ethereum")


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def documented() -> dict[str, tuple[str, ...]]:
    """Streams and their keys, as the table has them for these chains."""
    found: dict[str, tuple[str, ...]] = {}
    for line in re.findall(r"^\| (`.*) \|$", section("Streams"), re.MULTILINE):
        streams, _, keys, _ = line.split(" | ")
        key, *of_ethereum = (tuple(text.split(", ")) for text in re.findall("`([^`]+)`", keys))
        assert bool(of_ethereum) == ("Ethereum" in keys)
        for name in re.findall("`([^`]+)`", streams):
            for chain in UTXO if "(UTXO chains)" in streams else CHAINS if "{chain}" in name else ("ethereum",):
                stream = name.replace("{chain}", chain).replace("-", "_")
                found[stream] = of_ethereum[0] if of_ethereum and chain == "ethereum" else key
    return found


@pytest.mark.parametrize(
    "config", [{}, {"channel": "api"}, {"latest_addresses": True}], ids=["auto", "api", "latest addresses"]
)
def test_the_table_of_streams_and_keys(config: dict[str, Any]) -> None:
    catalog = TapBlockchair(config={"chains": list(CHAINS), **config}).catalog_dict["streams"]
    assert {entry["tap_stream_id"]: tuple(entry["key_properties"]) for entry in catalog} == documented()


def test_every_setting_named_exists() -> None:
    settings = TapBlockchair.config_jsonschema["properties"]
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", section("Settings") + section("Dumps") + section("Quotas")))
    columns = {"is_settled", "is_spendable"}
    assert named - columns - set(settings) == set()
    assert len(named) >= 10


@pytest.mark.parametrize(
    ("table", "filters", "points"),
    [("blocks", 1, "5.7"), ("transactions", 1, "11.4"), ("outputs", 1, "20.9"), ("outputs", 2, "22.8")],
)
def test_the_points_of_a_page(table: str, filters: int, points: str) -> None:
    cost = estimate(f"https://host/bitcoin/{table}?q={','.join('x' * filters)}&limit=100")
    assert f"{cost.normalize():f}" == points
    assert points in section("Quotas")


def test_the_files_that_a_dump_day_passes(host: Any, blocks: Any) -> None:
    """From the run's start: what makes the streams is not counted."""
    host.put("bitcoin", "blocks", "20240101", blocks(1, 2))
    tap = TapBlockchair(config=host.config())
    for name, stream in tap.streams.items():
        stream.selected = name == "bitcoin_blocks"
    passed: set[Path] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            passed.add(Path(frame.f_code.co_filename))

    with redirect_stdout(io.TextIOWrapper(io.BytesIO())) as written:
        sys.setprofile(note)
        try:
            tap.sync_all()
        finally:
            sys.setprofile(None)
        written.flush()
        assert b'"RECORD"' in written.buffer.getvalue()  # type: ignore[attr-defined]
    steps = re.findall(r"^\d\. \[`(\w+\.py)`\]", section("How a dump day is extracted"), re.MULTILINE)
    assert {path.name for path in passed if path.parent.name == "tap_blockchair"} == set(steps)
    assert len(steps) == len(set(steps)) == 8
