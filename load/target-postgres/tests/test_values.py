"""What arrives in PostgreSQL equals what was sent."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("use_copy", [False, True])
def test_amounts_are_exact(load: Callable[..., str], database: Any, *, use_copy: bool) -> None:
    """Whatever `use_copy` says, which in the stock loader passes decimals through a float."""
    load("amounts.singer", use_copy=use_copy)

    assert dict(database.query("select what, value from raw_data.amounts")) == {
        "wei": Decimal(894582879806664207241),
        "total_difficulty": Decimal(58750003716598352816469),
        "koinu": Decimal(14766278038700000009),
        "price": Decimal("0.123456789012345678"),
        "market_cap": Decimal("1560631481361.804200000000000001"),
        "exponent": Decimal("7.821066970851871E-11"),
        "negative": Decimal(-9223372036854775809),
        "whole": Decimal(20030493),
        "nothing": None,
    }


def test_loading_twice_changes_nothing(load: Callable[..., str], database: Any) -> None:
    load("amounts.singer")
    once = database.query("select what, value from raw_data.amounts order by 1")
    load("amounts.singer")

    assert database.query("select what, value from raw_data.amounts order by 1") == once


def test_types(load: Callable[..., str], database: Any) -> None:
    load("types.singer")

    assert database.query("select id, small, flag, at, day, text, amount, nested from raw_data.types order by id") == [
        (2, None, None, datetime(2026, 1, 1, tzinfo=UTC), None, None, None, None),
        (
            9223372036854775807,
            -1,
            True,
            datetime(2026, 1, 1, 0, 0, 0, 41_000, tzinfo=UTC),
            date(2026, 1, 1),
            'é "x"',
            Decimal(1),
            {"a": [1, None]},
        ),
    ]
    columns = database.query(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = 'raw_data' and table_name = 'types' and column_name not like '\\_sdc%'"
    )
    assert dict(columns) == {
        "id": "bigint",
        "small": "smallint",
        "flag": "boolean",
        "at": "timestamp with time zone",
        "day": "date",
        "text": "text",
        "amount": "numeric",
        "nested": "jsonb",
        "_load_id": "bigint",
    }


@pytest.mark.parametrize("by", ["parts", "url"])
def test_date_times_hold_utc(load: Callable[..., str], database: Any, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    database.query(f"alter role loader in database {database.name} set timezone to 'America/New_York'")
    database.query(f"alter database {database.name} set timezone to 'Pacific/Auckland'")
    url = f"{database.url('postgresql+psycopg')}?options=-ctimezone%3DAmerica/New_York"
    before = datetime.now(UTC)

    load("types.singer", **({"sqlalchemy_url": url} if by == "url" else {}))

    ((at, received),) = database.query("select at, _sdc_received_at from raw_data.types where id = 2")
    assert at == datetime(2026, 1, 1, tzinfo=UTC)
    assert abs((received - before).total_seconds()) < 3600


def test_state_is_passed_on(load: Callable[..., str]) -> None:
    assert json.loads(load("amounts.singer")) == {"bookmarks": {"amounts": {"done": True}}}


def test_rows_of_slices_load(database: Any, load: Any) -> None:
    """Fourteen real blocks as a slice, then the same day again with two of them, as of a replaced file."""
    state = json.loads(load("slices.singer").splitlines()[-1])
    rows = database.query('select id, hash, "_unit", "_line" from raw_data.bitcoin_blocks order by id')
    assert [(row[0], row[3]) for row in rows] == [(1, 2), (2, 3)]
    assert rows[0][1] == "00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048"
    assert {row[2] for row in rows} == {"bitcoin/blocks/2009-01-09"}
    assert state["bookmarks"]["bitcoin_blocks"]["replication_key_value"] == "2009-01-09"


COINS = {
    "type": "SCHEMA",
    "stream": "coins",
    "key_properties": ["id"],
    "schema": {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "name": {"type": ["string", "null"]},
            "at": {"type": ["string", "null"], "format": "date-time"},
        },
    },
}
ROWS = [{"id": 1, "name": "ü€漢字\t\\N", "at": "2024-01-09T00:00:00+02:00"}, {"id": 2, "name": None}]


@pytest.mark.parametrize(("suffix", "compression"), [("jsonl", "none"), ("jsonl.gz", "gzip")])
def test_a_batch_in_jsonl(
    database: Any, feed: Callable[..., str], tmp_path: Path, suffix: str, compression: str
) -> None:
    path = tmp_path / f"coins.{suffix}"
    content = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    path.write_bytes(gzip.compress(content) if compression == "gzip" else content)
    encoding = {"format": "jsonl", "compression": compression}
    feed(
        [
            COINS,
            {"type": "BATCH", "stream": "coins", "encoding": encoding, "manifest": [path.as_uri()]},
            {"type": "RECORD", "stream": "coins", "record": {"id": 2, "name": "two"}},
        ]
    )
    assert database.query("select id, name, at::text from raw_data.coins order by id") == [
        (1, "ü€漢字\t\\N", "2024-01-08 22:00:00+00"),
        (2, "two", None),
    ]


@pytest.mark.parametrize(
    ("settings", "variable", "found"),
    [({"run_id": "mine"}, "meltano's", "mine"), ({}, "meltano's", "meltano's"), ({}, None, None)],
)
def test_a_runs_name_is_the_setting_else_meltanos_else_random(
    database: Any,
    feed: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    variable: str | None,
    found: str | None,
) -> None:
    if variable is None:
        monkeypatch.delenv("MELTANO_RUN_ID", raising=False)
    else:
        monkeypatch.setenv("MELTANO_RUN_ID", variable)
    feed([COINS, {"type": "RECORD", "stream": "coins", "record": ROWS[0]}], **settings)
    ((said,),) = database.query("select distinct run_id from raw_data.load_ledger")
    assert said == found if found else UUID(said).version == 4
