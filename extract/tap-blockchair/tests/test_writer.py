"""Rows written straight to lines are the rows that the SDK's own way writes."""

from __future__ import annotations

from typing import Any

import pytest

from tap_blockchair import schemas

NAMES = [column.name for column in schemas.chain_table("bitcoin", "blocks").columns]
FILLER = {"i": "1", "n": "1", "s": "ab", "t": "2024-01-01 00:00:00", "b": "1", "p": "-1"}
ODD = [
    {},
    {"id": "007", "nonce": "-0", "difficulty": "1E+3"},
    {"difficulty": "0.10", "reward": "18446744073709551617", "fee_per_kb": "-12.500"},
    {"guessed_miner": 'a "quoted" \\ back / slash'},
    {"guessed_miner": "\\N", "size": "\\N", "reward_usd": ""},
    {"guessed_miner": "中本聪 \x01\x7f", "coinbase_data_hex": ""},
    {"guessed_miner": "100 %s %d %% {0}", "hash": "<&>'~[]!#"},
    {"median_time": "2023-12-31 23:59:59", "time": "2024-01-01 23:59:59"},
]


def day_of(gz: Any, rows: list[dict[str, str]]) -> bytes:
    kinds = {column.name: column.kind.value for column in schemas.chain_table("bitcoin", "blocks").columns}
    lines = ("\t".join(row.get(name, FILLER[kinds[name]]) for name in NAMES) for row in rows)
    return bytes(gz("\t".join(NAMES), *lines))


def both_ways(run: Any, host: Any) -> tuple[Any, Any]:
    """The lines way, and the SDK's, which a stream map without effect forces."""
    fast = run(host.config(), select=("bitcoin_blocks",))
    slow = run(host.config(stream_maps={"bitcoin_blocks": {}}), select=("bitcoin_blocks",))
    return fast, slow


def test_every_kind_of_value(run: Any, host: Any, gz: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_blockchair.dumpfile._UNZIPPED", 700)  # rows and their portions cross
    host.put("bitcoin", "blocks", "20240101", day_of(gz, ODD))
    fast, slow = both_ways(run, host)
    assert (fast.error, slow.error) == (None, None)
    assert fast.records("bitcoin_blocks") == slow.records("bitcoin_blocks")
    assert [str(record) for record in fast.records("bitcoin_blocks")][3:] == [
        str(record) for record in slow.records("bitcoin_blocks")
    ][3:], "digit by digit"
    assert [record["_line"] for record in fast.records("bitcoin_blocks")] == list(range(2, 2 + len(ODD)))
    ours, theirs = fast.of("RECORD")[0], slow.of("RECORD")[0]
    assert set(ours) == set(theirs)
    assert ours["time_extracted"][:14] == theirs["time_extracted"][:14]
    assert ours["time_extracted"].endswith("+00:00")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"size": "1.5"}, "line 3: size is '1.5', not a whole number"),
        ({"median_time": "2024-02-30 00:00:00"}, "line 3: median_time is '2024-02-30 00:00:00'"),
        ({"difficulty": "NaN"}, "line 3: difficulty is 'NaN', not a number"),
        ({"id": ""}, "line 3: id is empty but part of the key"),
    ],
)
def test_a_bad_value_is_named(run: Any, host: Any, gz: Any, row: dict[str, str], sentence: str) -> None:
    host.put("bitcoin", "blocks", "20240101", day_of(gz, [{}, row]))
    for result in both_ways(run, host):
        assert sentence in str(result.error)
        assert result.bookmark("bitcoin_blocks") is None
