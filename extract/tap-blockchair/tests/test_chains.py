"""The registry of chains: an entry is all that a chain needs."""

from __future__ import annotations

from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_blockchair.chains import CHAINS, Chain
from tap_blockchair.columns import columns
from tap_blockchair.settings import CONFIG_SCHEMA, Settings
from tap_blockchair.tap import TapBlockchair

NEW = Chain(name="new-coin", most=7 * 10**15, finality=9, more={"blocks": columns("odd:b", required=False)})


def schemas(**config: Any) -> dict[str, dict[str, Any]]:
    """The properties of each stream's schema."""
    streams = TapBlockchair(config={"chains": ["new-coin"], **config}).catalog_dict["streams"]
    return {entry["tap_stream_id"]: entry["schema"]["properties"] for entry in streams}


def test_an_entry_makes_a_chains_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigValidationError):
        schemas()
    monkeypatch.setitem(CHAINS, NEW.name, NEW)
    for channel in ("auto", "api"):
        found = schemas(channel=channel)
        tables = ("blocks", "transactions", "outputs", "inputs", "stats", "addresses")
        assert set(found) == {f"new_coin_{table}" for table in tables}
        assert found["new_coin_outputs"]["value"]["maximum"] == NEW.most
        assert found["new_coin_transactions"]["fee"]["minimum"] == 0
        assert "odd" in found["new_coin_blocks"]
        assert not {"weight", "witness_count"} & found["new_coin_blocks"].keys()
    config = TapBlockchair(config={"chains": ["new-coin"]}).config
    assert Settings.from_config(config).finality["new-coin"] == 9
    assert Settings.from_config({**config, "finality": {"new-coin": 3}}).finality["new-coin"] == 3


def test_what_an_entry_says_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    later = columns("later:n+", required=False)
    monkeypatch.setitem(
        CHAINS,
        NEW.name,
        Chain(name=NEW.name, most=10, has_witnesses=True, is_shielded=True, api_only={"transactions": later}),
    )
    by_dumps, by_api = schemas(channel="dumps"), schemas(channel="api")
    assert {"weight", "witness_count"} <= by_dumps["new_coin_blocks"].keys()
    assert by_dumps["new_coin_transactions"]["fee"]["minimum"] == -10
    assert "later" not in by_dumps["new_coin_transactions"]
    assert by_api["new_coin_transactions"]["later"]["maximum"] == 10


def test_settings_document_the_registrys_defaults() -> None:
    documented = CONFIG_SCHEMA["properties"]
    assert documented["chains"]["default"] == ["bitcoin", "ethereum", "dogecoin"]
    assert "Default bitcoin 6, ethereum 64, dogecoin 60, any other chain 60." in documented["finality"]["description"]
    assert all(f" {name}" in documented["chains"]["description"] for name in CHAINS)
