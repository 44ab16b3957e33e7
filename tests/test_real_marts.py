"""The published day of 9 January 2009 in every mart that reports it, against values worked out by hand."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest

from checkout import Checkout
from real_day import (
    AGE_BANDS,
    BLOCKS,
    COINS_50,
    DAY,
    INPUTS,
    PLAUSIBILITY,
    PRICELESS,
    SPENT_DAY,
    UNSPENT,
    UNVERIFIABLE,
    VERIFIED,
    at,
    flags_of,
    key,
)
from test_real_input import DUMPS, loaded

# What is said of the day before the first.
FIRST_DAY = "no day below is loaded"

# The module's warehouse is the one that the real input fills.
__all__ = ["loaded"]


def rows(
    loaded: Checkout, mart: str, order: str, where: str = "chain = 'bitcoin'", keys: Sequence[str] = ()
) -> list[dict[str, object]]:
    """Every row of a mart that concerns bitcoin, which each says, without its other keys and its chain."""
    names = [
        str(name)
        for (name,) in loaded.sql(
            "select column_name from information_schema.columns where table_schema = 'analytics' and table_name = %s",
            mart,
        )
        if not str(name).endswith("_key") or name in keys
    ]
    listed = loaded.sql(f"select {', '.join(names)} from analytics.{mart} where {where} order by {order}")  # noqa: S608
    found = [dict(zip(names, row, strict=True)) for row in listed]
    assert {row.pop("chain", "bitcoin") for row in found} <= {"bitcoin"}
    return found


def expect(found: Sequence[dict[str, object]], expected: Sequence[Mapping[str, object]]) -> None:
    """The same rows; what an expected one does not name is null."""
    assert len(found) == len(expected)
    for row, known in zip(found, expected, strict=True):
        assert row == dict.fromkeys(row) | dict(known)


def test_blocks(loaded: Checkout) -> None:
    expected: list[dict[str, object]] = []
    for height, (name, clock, median, _, _) in BLOCKS.items():
        before = BLOCKS.get(height - 1)
        expected.append(
            PRICELESS
            | {
                "block_height": height,
                "block_hash": name,
                "block_time": at(clock),
                "block_date": DAY,
                "median_time": at(median),
                "block_interval_seconds": int((at(clock) - at(before[1])).total_seconds()) if before else None,
                "difficulty": 1,
                "size_bytes": 215,
                "weight_wu": 860,
                "transaction_count": 0,
                "transaction_row_count": 1,
                "input_count": 1,
                "output_count": 1,
                "input_total_base": 0,
                "output_total_base": COINS_50,
                "fee_total_base": 0,
                "generation_base": COINS_50,
                "reward_base": COINS_50,
                "coin_days_destroyed": 0,
                "miner": "Unknown",
                "is_settled": True,
                "header_check": "verified" if height > 1 else "unverifiable",
                "previous_block_hash": before[0] if before else None,
                "block_work": 4_295_032_833,
                "utilisation": Decimal("0.000215"),  # 860 of 4,000,000 weight units
                "is_final": True,
            }
        )
    expect(rows(loaded, "fct_blocks", "block_height", "true"), expected)


def test_transactions(loaded: Checkout) -> None:
    expected = [
        PRICELESS
        | {
            "block_height": height,
            "transaction_key": key("bitcoin", height, coinbase),
            "transaction_hash": coinbase,
            "transaction_index": 0,
            "block_time": at(clock),
            "block_date": DAY,
            "is_coinbase": True,
            "is_synthetic": False,
            "is_user_transaction": False,
            "is_failed": False,
            "size_bytes": 134,
            "weight_wu": 536,
            "input_count": 1,
            "output_count": 1,
            "input_total_base": 0,
            "value_base": COINS_50,
            "fee_base": 0,
            "coin_days_destroyed": 0,
            "is_final": True,
        }
        for height, (_, clock, _, coinbase, _) in BLOCKS.items()
    ]
    expect(rows(loaded, "fct_transactions", "block_height", "true", ["transaction_key"]), expected)


def test_outputs(loaded: Checkout) -> None:
    expected = [
        {
            "transaction_key": key("bitcoin", height, coinbase),
            "address_key": key("bitcoin", recipient),
            "block_height": height,
            "output_index": 0,
            "block_date": DAY,
            "is_address": True,
            "script_type": "pubkey",
            "is_from_coinbase": True,
            "is_spendable": True,
            "value_base": COINS_50,
            "is_final": True,
        }
        for height, (_, _, _, coinbase, recipient) in BLOCKS.items()
    ]
    keys = ["transaction_key", "address_key"]
    expect(rows(loaded, "fct_transaction_outputs", "block_height", "true", keys), expected)


def test_inputs(loaded: Checkout) -> None:
    expected = [
        {
            "transaction_key": key("bitcoin", spending.height, spending.transaction),
            "created_transaction_key": key("bitcoin", spending.made_height, spending.made_by),
            "address_key": key("bitcoin", spending.recipient),
            "block_height": spending.height,
            "input_index": 0,
            "block_date": SPENT_DAY,
            "created_block_height": spending.made_height,
            "created_output_index": spending.index,
            "created_date": date.fromisoformat(spending.made_at[:10]),
            "is_address": True,
            "script_type": "pubkey",
            "is_from_coinbase": spending.is_from_coinbase,
            "value_base": spending.value,
            "lifespan_seconds": spending.seconds,
            "coin_days_destroyed": spending.coin_days,
            "full_coin_days_destroyed": spending.full_coin_days,
            # the blocks of that day are not loaded
            "is_final": False,
        }
        for spending in INPUTS
    ]
    keys = ["transaction_key", "created_transaction_key", "address_key"]
    expect(rows(loaded, "fct_transaction_inputs", "block_height, created_block_height", "true", keys), expected)


def test_the_network_day(loaded: Checkout) -> None:
    expected = PRICELESS | {
        "block_date": DAY,
        "block_count": 14,
        "first_block_height": 1,
        "last_block_height": 14,
        "transaction_count": 0,
        "loaded_transaction_count": 0,
        "fee_total_base": 0,
        "generation_base": 14 * COINS_50,
        "reward_base": 14 * COINS_50,
        "is_settled": True,
        "fee_revenue_share": 0,
        # nobody but miners had coins yet, and all transactions are there
        "zero_fee_count": 0,
        "transfer_value_base": 0,
        "transfer_value_adj_v1_base": 0,
        "active_address_count": 14,
        "paying_address_count": 0,
        "paid_address_count": 14,
        "is_address_count_partial": False,
        # each of the 14 was paid for the first time that the warehouse knows of, whose log begins after block 0
        "new_address_count": 14,
        "is_new_address_count_partial": True,
        "net_issuance_base": 14 * COINS_50,
        # 14 blocks of 2^256 / (0xffff * 2^208 + 1) = 4295032833 expected hashes, over 86400 seconds
        "hash_rate": Decimal("695954.39423611"),
        # 13 of them, since of the first the parent is not loaded, over the 5,924 seconds from it to the last
        "hash_rate_known": Decimal("9425291.49713032"),
        "mean_difficulty": 1,
        "utilisation": Decimal("0.000215"),  # 860 of 4,000,000 weight units
        "is_final": True,
        "has_all_blocks": True,
        "has_all_transactions": True,
        "has_all_outputs": True,
        "priced_day_count": 0,
        "priced_block_count": 0,
        "priced_transaction_count": 0,
    }
    expect(rows(loaded, "fct_network_daily", "block_date"), [expected])


def test_new_addresses(loaded: Checkout) -> None:
    kind = {"script_type": "pubkey", "is_synthetic": False}
    expected = [
        kind | {"block_date": DAY, "new_address_count": 14, "has_all_blocks": True},
        # of the three that were spent from, one is that of block 9
        kind | {"block_date": SPENT_DAY, "new_address_count": 2, "has_all_blocks": False},
    ]
    expect(rows(loaded, "fct_new_addresses_daily", "block_date"), expected)


def test_blocks_to_drill_through(loaded: Checkout) -> None:
    expected = [
        {
            "block_height": height,
            "block_hash": name,
            "previous_block_hash": BLOCKS[height - 1][0] if height > 1 else None,
            "block_time": at(clock),
            "block_date": DAY,
            "median_time": at(median),
            "difficulty": 1,
            "is_header_verified": height > 1,
            "is_final": True,
        }
        for height, (name, clock, median, _, _) in BLOCKS.items()
    ]
    expect(rows(loaded, "dim_block", "block_height"), expected)


def test_valuation_of_four_days(loaded: Checkout) -> None:
    """The first inputs spend one coin of 9 January; the six others spend outputs of blocks that are not loaded.

    Of the days after the first no block says how much was spent, so that is not known.
    """
    expected: list[dict[str, object]] = []
    for day, count in UNSPENT.items():
        known = count * COINS_50
        expected.append(
            PRICELESS
            | flags_of(day)
            | {
                "supply_source": "unknown",
                "known_supply_base": known,
                "counted_supply_base": known,
                "active_supply_1y_base": known,
                "active_supply_1y_share": 1,
                "long_term_supply_base": 0,
                "long_term_supply_share": 0,
                "unspent_output_count": count,
                "is_partial": True,
                "priced_supply_base": 0,
                "priced_ratio": 0,
                "mean_coin_age_days": (day - DAY).days,
            }
        )
    expected[0] |= dict.fromkeys(
        (
            *("spent_output_count", "spent_base", "revived_supply_1y_base"),
            *("revived_supply_2y_base", "revived_supply_5y_base", "adjusted_spent_base"),
            *("full_coin_days_destroyed", "coin_days_destroyed"),
        ),
        0,
    )
    expected[3] |= {"priced_spent_base": 0, "priced_adjusted_spent_base": 0}
    expect(rows(loaded, "fct_valuation_daily", "block_date"), expected)


def test_supply_by_age(loaded: Checkout) -> None:
    expected: list[dict[str, object]] = []
    for day, coins in UNSPENT.items():
        for order, band in enumerate(AGE_BANDS, 1):
            held = coins if order == (1 if day == DAY else 2) else 0
            expected.append(
                PRICELESS
                | flags_of(day)
                | {
                    "age_band": band,
                    "band_order": order,
                    "counted_supply_base": held * COINS_50,
                    "supply_share": 1 if held else 0,
                    "output_count": held,
                    "priced_supply_base": 0,
                    "is_partial": True,
                }
            )
    expect(rows(loaded, "fct_supply_age_daily", "block_date, band_order"), expected)


def test_miners(loaded: Checkout) -> None:
    day = {"block_date": DAY, "block_count": 14}
    totals = {"fee_total_base": 0, "generation_base": 14 * COINS_50, "reward_base": 14 * COINS_50}
    whole = {"is_final": True, "has_all_blocks": True}
    expect(
        rows(loaded, "fct_miner_daily", "miner"),
        [PRICELESS | day | totals | whole | {"miner": "Unknown", "block_share_ratio": 1, "priced_block_count": 0}],
    )
    expect(
        rows(loaded, "rpt_miner_concentration_daily", "block_date"),
        [day | whole | {"known_miner_count": 0, "unknown_share_ratio": 1, "hhi": 0}],
    )
    named = {
        "miner": "Unknown",
        "is_unknown": True,
        "first_block_date": DAY,
        "last_block_date": DAY,
    }
    expect(rows(loaded, "dim_miner", "miner"), [named])


def test_every_check_of_the_day(loaded: Checkout) -> None:
    expected = [
        {
            "check_name": name,
            "severity": "plausibility" if name in PLAUSIBILITY else "integrity",
            "block_date": DAY,
            "verified_count": 14 - len(UNVERIFIABLE.get(name, ([], None))[0]),
            "unverifiable_count": len(UNVERIFIABLE.get(name, ([], None))[0]),
            "failed_count": 0,
            "unverifiable_heights": UNVERIFIABLE.get(name, ([], None))[0],
            "failed_heights": [],
            "reasons": UNVERIFIABLE.get(name, ([], None))[1],
        }
        for name in sorted([*UNVERIFIABLE, *VERIFIED])
    ]
    # Not of blocks but of dump days: those of blocks, transactions and outputs, and three days later that of inputs.
    for day, count in ((DAY, 3), (SPENT_DAY, 1)):
        counts = {"verified_count": count, "unverifiable_count": 0, "failed_count": 0}
        heights: dict[str, object] = {"unverifiable_heights": [], "failed_heights": []}
        about = {"check_name": "unit_rows", "severity": "integrity", "block_date": day}
        expected.append(about | counts | heights)
    about = {"check_name": "chain_days", "severity": "integrity", "block_date": DAY}
    counts = {"verified_count": 0, "unverifiable_count": 1, "failed_count": 0}
    expected.append(about | counts | {"unverifiable_heights": [1], "failed_heights": [], "reasons": FIRST_DAY})
    expected.sort(key=lambda row: (str(row["check_name"]), str(row["block_date"])))
    expect(rows(loaded, "fct_dq_results", 'check_name collate "C", block_date'), expected)


def test_reconciliation(loaded: Checkout) -> None:
    expected = {
        "block_date": DAY,
        "channels": "dumps",
        "block_count": 14,
        "header_verified_ratio": Decimal("0.928571"),  # 13 of 14
        "header_verified_count": 8 * 14 - 13,
        "header_unverifiable_count": 1 + 1 + 1 + 10,
        "amounts_verified_count": 2 * 14,
        "transactions_verified_count": 6 * 14,
        "outputs_inputs_verified_count": 14,
        "outputs_inputs_unverifiable_count": 5 * 14,
        "loading_verified_count": 3,
        "loading_unverifiable_count": 1,
        "failed_heights": [],
        "is_archived": False,
        "reasons": "; ".join(
            f"{name}: {reason}"
            for name, reason in sorted(
                [("chain_days", FIRST_DAY), *((name, reason) for name, (_, reason) in UNVERIFIABLE.items())]
            )
        ),
    }
    found = rows(loaded, "rpt_reconciliation", "block_date")
    zeros = {name: 0 for name in found[0] if name.endswith("_count")}
    inputs: dict[str, object] = {"block_date": SPENT_DAY, "loading_verified_count": 1}
    expect(found, [zeros | expected, zeros | inputs | {"failed_heights": [], "is_archived": False}])


def test_without_a_price_there_are_no_whales_and_without_snapshots_no_balances(loaded: Checkout) -> None:
    for mart in ("fct_whale_transfers", "fct_address_balances_snapshot", "fct_wealth_distribution_daily"):
        assert rows(loaded, mart, "1") == []


@pytest.mark.parametrize(
    ("fact", "count"),
    [
        ("fct_blocks", 14),
        ("fct_transactions", 14),
        ("fct_transaction_outputs", 14),
        ("fct_transaction_inputs", 7),
        ("fct_network_daily", 1),
        ("fct_valuation_daily", 4),
        ("fct_supply_age_daily", 48),
        ("fct_spent_age_daily", 48),
        ("fct_holders_daily", 8),
        ("fct_realised_price_distribution", 1),
        ("fct_unspent_outputs_daily", 4),
        ("fct_miner_daily", 1),
        ("fct_dq_results", 25),
        ("rpt_reconciliation", 2),
    ],
)
def test_each_row_has_its_coin_and_its_day(loaded: Checkout, fact: str, count: int) -> None:
    found = loaded.sql(
        f"select count(*) from analytics.{fact} as fact join analytics.dim_asset using (chain)"  # noqa: S608
        " join analytics.dim_date using (date_key)"
        " where dim_asset.coingecko_id = 'bitcoin' and dim_date.date_day = fact.block_date"
    )
    assert found == [(count,)]


def test_rows_find_each_other_by_their_keys(loaded: Checkout) -> None:
    found = loaded.sql(
        "select o.block_height, b.block_hash, t.transaction_hash, f.transaction_type, a.address, i.block_height"
        " from analytics.fct_transaction_outputs as o"
        " join analytics.fct_transactions as t using (transaction_key)"
        " join analytics.fct_blocks as b using (block_key)"
        " join analytics.dim_transaction_flags as f using (transaction_flags_key)"
        " join analytics.dim_address as a using (address_key)"
        " left join analytics.fct_transaction_inputs as i"
        " on i.created_transaction_key = o.transaction_key and i.created_output_index = o.output_index"
        " and i.address_key = o.address_key"
        " order by 1"
    )
    assert found == [
        (height, name, coinbase, "coinbase", recipient, 170 if height == 9 else None)
        for height, (name, _, _, coinbase, recipient) in BLOCKS.items()
    ]
    assert loaded.sql(
        "select miner from analytics.fct_miner_daily join analytics.dim_miner using (miner_key, chain, miner)"
    ) == [("Unknown",)]
    assert loaded.sql(
        "select count(*) from analytics.fct_dq_results join analytics.dim_dq_check using (dq_check_key)"
    ) == [(25,)]


def test_addresses(loaded: Checkout) -> None:
    """Who was paid that day or had coins spent three days later, and the unknown one."""
    seen: dict[str, tuple[date, date]] = {paid: (DAY, DAY) for *_, paid in BLOCKS.values()}
    for whose in (spending.recipient for spending in INPUTS):
        seen[whose] = (seen.get(whose, (SPENT_DAY, SPENT_DAY))[0], SPENT_DAY)
    assert len(seen) == 14 + 2
    found = loaded.sql(
        "select address_key, chain, address, is_synthetic, script_type, is_known_contract, first_seen_date,"
        " last_seen_date, contract_created_date from analytics.dim_address"
    )
    unknown = (-1, "unknown", "unknown", False, None, False, None, None, None)
    assert sorted(found, key=str) == sorted(
        [
            unknown,
            *(
                (key("bitcoin", address), "bitcoin", address, False, "pubkey", False, first, last, None)
                for address, (first, last) in seen.items()
            ),
        ],
        key=str,
    )


def test_the_date(loaded: Checkout) -> None:
    """A Friday, 5,848 days before the newest close of the price export, which is of Monday, 13 January 2025."""
    expected = {
        "date_day": DAY,
        "year_number": 2009,
        "quarter_number": 1,
        "month_number": 1,
        "month_name": "January",
        "day_of_month": 9,
        "day_of_year": 9,
        "iso_year": 2009,
        "iso_week": 2,
        "iso_day_of_week": 5,
        "day_name": "Friday",
        "is_weekend": False,
        "week_start_date": date(2009, 1, 5),
        "month_start_date": date(2009, 1, 1),
        "quarter_start_date": date(2009, 1, 1),
        "year_start_date": date(2009, 1, 1),
        "day_offset": -5848,
        "week_offset": -836,
        "month_offset": -192,
        "quarter_offset": -64,
        "year_offset": -16,
        "is_complete_bitcoin": True,
        "is_complete_dogecoin": False,
        "is_complete_ethereum": False,
        "reward_epoch_bitcoin": 1,
        "is_price_gap_bitcoin": False,
        "is_price_gap_dogecoin": False,
        "is_price_gap_ethereum": False,
        "is_complete_day": True,
    }
    expect(rows(loaded, "dim_date", "date_day", "date_key = 20090109"), [expected])


def test_network_epochs(loaded: Checkout) -> None:
    """Those of block 1. Block 0, with which they begin, is in no published file, and their last blocks are far."""
    began: dict[str, object] = {"epoch_number": 1, "start_height": 0}
    difficulty = {
        "epoch_kind": "difficulty",
        "epoch_name": "difficulty from height 0",
        "end_height": 2015,
        "epoch_source": "bitcoin/bitcoin src/kernel/chainparams.cpp",
    }
    reward = {
        "epoch_kind": "reward",
        "epoch_name": "50 BTC a block",
        "end_height": 209_999,
        "max_subsidy_base": COINS_50,
        "epoch_source": "the chain's node software",
    }
    found = rows(loaded, "dim_network_epoch", "epoch_kind", "chain = 'bitcoin' and start_height <= 14")
    expect(found, [began | difficulty, began | reward])
    # the one difficulty of the day, since no later one is loaded
    kinds = "select epoch_kind, count(*) from analytics.dim_network_epoch where chain = 'bitcoin' group by 1 order by 1"
    assert loaded.sql(kinds) == [("difficulty", 1), ("fork", 6), ("reward", 34)]


def test_transaction_flags(loaded: Checkout) -> None:
    unknown = {"transaction_type": "unknown"}
    coinbase = {
        "transaction_type": "coinbase",
        "is_coinbase": True,
        "is_synthetic": False,
        "is_failed": False,
        "is_user_transaction": False,
        "has_witness": False,
    }
    expect(rows(loaded, "dim_transaction_flags", "transaction_type", "true"), [coinbase, unknown])


def test_the_loads(loaded: Checkout, samples: Path) -> None:
    """Each file as it was published, by its own digest."""
    expected = []
    for table, (name, count) in sorted(DUMPS.items()):
        day = SPENT_DAY if table == "bitcoin_inputs" else DAY
        digest = hashlib.sha256((samples / "blockchair/dumps" / name).read_bytes()).hexdigest()
        unit = f"{table.replace('_', '/')}/{day}"
        days: tuple[object, ...] = (day, day, 1)
        expected.append((table, "bitcoin", unit, "dumps", name, digest, count, 0, count, *days, True, True))
    assert (
        loaded.sql(
            "select table_name, runs.chain, unit, channel, file, sha256, rows_loaded, rows_deleted, rows_added,"
            " first_day, last_day, day_count, is_latest, loaded_date = dim_date.date_day"
            " from analytics.fct_pipeline_runs as runs"
            " join analytics.dim_date using (date_key) join analytics.dim_time using (time_key)"
            " join analytics.dim_asset on dim_asset.asset_key = runs.asset_key and dim_asset.coingecko_id = 'bitcoin'"
            " order by table_name"
        )
        == expected
    )


def test_the_minute_of_each_block(loaded: Checkout) -> None:
    found = loaded.sql(
        "select block_height, time_key, time_of_day, minute_of_day, time_band"
        " from analytics.fct_blocks join analytics.dim_time using (time_key) order by 1"
    )
    expected = []
    for height, (_, clock, *_) in BLOCKS.items():
        hour, minute = int(clock[:2]), int(clock[3:5])
        expected.append((height, 100 * hour + minute, time(hour, minute), 60 * hour + minute, "00:00 to 05:59"))
    assert found == expected
    assert found[0][1] == 254
