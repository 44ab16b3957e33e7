"""What the README tells of streams, keys, settings and points is what the tap does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tap_blockchair.quota import estimate
from tap_blockchair.tap import TapBlockchair

README = (Path(__file__).parents[1] / "README.md").read_text()
UTXO = ("bitcoin", "dogecoin", "bitcoin-cash")
CHAINS = (*UTXO, "ethereum")


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def told() -> dict[str, tuple[str, ...]]:
    """Streams and their keys, as the table tells them for these chains."""
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
    assert {entry["tap_stream_id"]: tuple(entry["key_properties"]) for entry in catalog} == told()


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
