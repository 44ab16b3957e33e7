"""The published day of 9 January 2009 in every mart that tells of it, against values worked out by hand."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from checkout import Checkout
from test_real_input import loaded

# The module's warehouse is the one that the real input fills.
__all__ = ["loaded"]

DAY = date(2009, 1, 9)
SPENT_DAY = date(2009, 1, 12)
COINS_50 = Decimal(5_000_000_000)
NO_PRICE = "missing"
# Height: hash, time, median of its time and the ten below, coinbase (whose hash is the Merkle root), who was paid.
BLOCKS = {
    1: (
        "00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048",
        "02:54:25",
        "02:54:25",
        "0e3e2357e806b6cdb1f70b54c3a3a17b6714ee1f0e68bebb44a74b1efd512098",
        "12c6DSiU4Rq3P4ZxziKxzrL5LmMBrzjrJX",
    ),
    2: (
        "000000006a625f06636b8bb6ac7b960a8d03705d1ace08b1a19da3fdcc99ddbd",
        "02:55:44",
        "02:54:25",
        "9b0fc92260312ce44e74ef369f5c66bbb85848f2eddd5a7a1cde251e54ccfdd5",
        "1HLoD9E4SDFFPDiYfNYnkBLQ85Y51J3Zb1",
    ),
    3: (
        "0000000082b5015589a3fdf2d4baff403e6f0be035a5d9742c1cae6295464449",
        "03:02:53",
        "02:55:44",
        "999e1c837c76a1b7fbb7e57baf87b309960f5ffefbf2a9b95dd890602272f644",
        "1FvzCLoTPGANNjWoUo6jUGuAG3wg1w4YjR",
    ),
    4: (
        "000000004ebadb55ee9096c9a2f8880e09da59c0d68b1c228da88e48844a1485",
        "03:16:28",
        "02:55:44",
        "df2b060fa2e5e9c8ed5eaf6a45c13753ec8c63282b2688322eba40cd98ea067a",
        "15ubicBBWFnvoZLT7GiU2qxjRaKJPdkDMG",
    ),
    5: (
        "000000009b7262315dbf071787ad3656097b892abffd1f95a1a022f896f533fc",
        "03:23:48",
        "03:02:53",
        "63522845d294ee9b0188ae5cac91bf389a0c3723f084ca1025e7d9cdfe481ce1",
        "1JfbZRwdDHKZmuiZgYArJZhcuuzuw2HuMu",
    ),
    6: (
        "000000003031a0e73735690c5a1ff2a4be82553b2a12b776fbd3a215dc8f778d",
        "03:29:49",
        "03:02:53",
        "20251a76e64e920e58291a30d4b212939aae976baca40e70818ceaa596fb9d37",
        "1GkQmKAmHtNfnD3LHhTkewJxKHVSta4m2a",
    ),
    7: (
        "0000000071966c2b1d065fd446b1e485b2c9d9594acd2007ccbd5441cfc89444",
        "03:39:29",
        "03:16:28",
        "8aa673bc752f2851fd645d6a0a92917e967083007d9c1684f9423b100540673f",
        "16LoW7y83wtawMg5XmT4M3Q7EdjjUmenjM",
    ),
    8: (
        "00000000408c48f847aa786c2268fc3e6ec2af68e8468a34a28c61b7f1de0dc6",
        "03:45:43",
        "03:16:28",
        "a6f7f1c0dad0f2eb6b13c4f33de664b1b0e9f22efad5994a6d5b6086d85e85e3",
        "1J6PYEzr4CUoGbnXrELyHszoTSz3wCsCaj",
    ),
    9: (
        "000000008d9dc510f23c2657fc4f67bea30078cc05a90eb89e84cc475c080805",
        "03:54:39",
        "03:23:48",
        "0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9",
        "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S",
    ),
    10: (
        "000000002c05cc2e78923c34df87fd108b22221ac6076c18f3ade378a4d915e9",
        "04:05:52",
        "03:23:48",
        "d3ad39fa52a89997ac7381c95eeffeaf40b66af7a57e9eba144be0a175a12b11",
        "15yN7NPEpu82sHhB6TzCW5z5aXoamiKeGy",
    ),
    11: (
        "0000000097be56d606cdd9c54b04d4747e957d3608abe69198c661f2add73073",
        "04:12:40",
        "03:29:49",
        "f8325d8f7fa5d658ea143629288d0530d2710dc9193ddc067439de803c37066e",
        "1dyoBoF5vDmPCxwSsUZbbYhA5qjAfBTx9",
    ),
    12: (
        "0000000027c2488e2510d1acf4369787784fa20ee084c258b58d9fbd43802b5e",
        "04:21:28",
        "03:39:29",
        "3b96bb7e197ef276b85131afd4a09c059cc368133a26ca04ebffb0ab4f75c8b8",
        "1PYELM7jXHy5HhatbXGXfRpGrgMMxmpobu",
    ),
    13: (
        "000000005c51de2031a895adc145ee2242e919a01c6d61fb222a54a54b4d3089",
        "04:23:40",
        "03:45:43",
        "9962d5c704ec27243364cbe9d384808feeac1c15c35ac790dffd1e929829b271",
        "17abzUBJr7cnqfnxnmznn8W38s9f9EoXiq",
    ),
    14: (
        "0000000080f17a0c5a67f663a9bc9969eb37e81666d9321125f0e293656f8a37",
        "04:33:09",
        "03:54:39",
        "e1afd89295b68bc5247fe0ca2885dd4b8818d7ce430faa615067d7bab8640156",
        "1DMGtVnRrgZaji7C9noZS3a1QtoaAN2uRG",
    ),
}
# Spending block and transaction, its time; block, transaction, output and time of what is spent; satoshi, seconds,
# whose it was, whether from a coinbase; coin-days: amount times seconds, by 86400 and by whole days only.
INPUTS = [
    (
        170,
        "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16",
        "03:30:25",
        9,
        "0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9",
        0,
        "2009-01-09 03:54:39",
        5_000_000_000,
        257_746,
        "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S",
        True,
        "149.158564814814814815",
        100,
    ),
    (
        181,
        "a16f3ce4dd5deb92d98ef5cf8afeaf0775ebca408f708b2146c4fb42b41e14be",
        "06:02:13",
        170,
        "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16",
        1,
        "2009-01-12 03:30:25",
        4_000_000_000,
        9_108,
        "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S",
        False,
        "4.216666666666666667",
        0,
    ),
    (
        182,
        "591e91f809d716912ca1d4a9295e70c3e78bab077683f79350f101da64588073",
        "06:12:16",
        181,
        "a16f3ce4dd5deb92d98ef5cf8afeaf0775ebca408f708b2146c4fb42b41e14be",
        1,
        "2009-01-12 06:02:13",
        3_000_000_000,
        603,
        "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S",
        False,
        "0.209375000000000000",
        0,
    ),
    (
        183,
        "12b5633bad1f9c167d523ad1aa1947b2732a865bf5414eab2f9e5ae5d5c191ba",
        "06:34:22",
        182,
        "591e91f809d716912ca1d4a9295e70c3e78bab077683f79350f101da64588073",
        1,
        "2009-01-12 06:12:16",
        2_900_000_000,
        1_326,
        "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S",
        False,
        "0.445069444444444444",
        0,
    ),
    (
        187,
        "4385fcf8b14497d0659adccfe06ae7e38e0b5dc95ff8a13d7c62035994a0cd79",
        "07:16:40",
        183,
        "12b5633bad1f9c167d523ad1aa1947b2732a865bf5414eab2f9e5ae5d5c191ba",
        0,
        "2009-01-12 06:34:22",
        100_000_000,
        2_538,
        "13HtsYzne8xVPdGDnmJX8gHgBZerAfJGEf",
        False,
        "0.029375000000000000",
        0,
    ),
    (
        221,
        "298ca2045d174f8a158961806ffc4ef96fad02d71a6b84d9fa0491813a776160",
        "14:21:00",
        182,
        "591e91f809d716912ca1d4a9295e70c3e78bab077683f79350f101da64588073",
        0,
        "2009-01-12 06:12:16",
        100_000_000,
        29_324,
        "1LzBzVqEeuQyjD2mRWHes3dgWrT9titxvq",
        False,
        "0.339398148148148148",
        0,
    ),
    (
        248,
        "828ef3b079f9c23829c56fe86e85b4a69d9e06e5b54ea597eef5fb3ffef509fe",
        "20:04:20",
        183,
        "12b5633bad1f9c167d523ad1aa1947b2732a865bf5414eab2f9e5ae5d5c191ba",
        1,
        "2009-01-12 06:34:22",
        2_800_000_000,
        48_598,
        "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S",
        False,
        "15.749351851851851852",
        0,
    ),
]
PRICELESS: dict[str, object] = {"price_status": NO_PRICE}
# Median times take ten blocks below, of which block 11 is the first to have all; block 0 is not in the published day.
UNPROVED = {
    "block_parent": ([1], "no block directly below is loaded"),
    "block_header_hash": ([1], "the parent block is not in the warehouse"),
    "block_chainwork": ([1], "the parent block is not in the warehouse"),
    "block_median_time": (list(range(1, 11)), "not all of the ten blocks below are in the warehouse"),
    "transaction_inputs": (list(range(1, 15)), "no inputs of this day are loaded"),
    "transaction_input_age": (list(range(1, 15)), "no inputs of this day are loaded"),
    "input_double_spend": (list(range(1, 15)), "no inputs of this day are loaded"),
    "input_origin": (list(range(1, 15)), "no inputs of this day are loaded"),
    "input_recipient": (list(range(1, 15)), "no inputs of this day are loaded"),
}
PROVED = (
    "block_proof_of_work",
    "block_difficulty",
    "block_version_forms",
    "block_weight",
    "block_reward",
    "block_subsidy",
    "block_merkle_root",
    "block_transaction_count",
    "block_transaction_sums",
    "block_sizes",
    "block_coin_days",
    "transaction_fee",
    "transaction_outputs",
)
PLAUSIBILITY = ("block_parent", "block_version_forms", "block_coin_days", "transaction_input_age", "input_recipient")
AGE_BANDS = (
    "under 1 day",
    "1 day to 1 week",
    "1 week to 1 month",
    "1 to 3 months",
    "3 to 6 months",
    "6 to 12 months",
    "1 to 2 years",
    "2 to 3 years",
    "3 to 5 years",
    "5 to 7 years",
    "7 to 10 years",
    "10 years and more",
)


def at(clock: str, day: date = DAY) -> datetime:
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=UTC)


def key(*parts: object) -> int:
    """A surrogate key as the README of the warehouse describes it: 64 bits of an MD5."""
    digest = hashlib.md5("|".join(str(part) for part in parts).encode()).digest()  # noqa: S324 - a key, no secret
    return int.from_bytes(digest[:8], "big", signed=True)


def rows(loaded: Checkout, mart: str, order: str, where: str = "chain = 'bitcoin'") -> list[dict[str, object]]:
    """Every row of a mart that concerns bitcoin, without its keys."""
    names = [
        str(name)
        for (name,) in loaded.sql(
            "select column_name from information_schema.columns where table_schema = 'analytics' and table_name = %s",
            mart,
        )
        if not str(name).endswith("_key")
    ]
    found = loaded.sql(f"select {', '.join(names)} from analytics.{mart} where {where} order by {order}")  # noqa: S608
    return [dict(zip(names, row, strict=True)) for row in found]


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
                "chain": "bitcoin",
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
            "chain": "bitcoin",
            "block_height": height,
            "transaction_reference": coinbase,
            "transaction_hash": coinbase,
            "transaction_index": 0,
            "block_time": at(clock),
            "block_date": DAY,
            "transaction_type": "coinbase",
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
    expect(rows(loaded, "fct_transactions", "block_height", "true"), expected)


def test_outputs(loaded: Checkout) -> None:
    expected = [
        PRICELESS
        | {
            "chain": "bitcoin",
            "block_height": height,
            "transaction_hash": coinbase,
            "output_index": 0,
            "block_time": at(clock),
            "block_date": DAY,
            "recipient": recipient,
            "is_address": True,
            "script_type": "pubkey",
            "is_from_coinbase": True,
            "is_spendable": True,
            "value_base": COINS_50,
            "is_final": True,
        }
        for height, (_, clock, _, coinbase, recipient) in BLOCKS.items()
    ]
    expect(rows(loaded, "fct_transaction_outputs", "block_height", "true"), expected)


def test_inputs(loaded: Checkout) -> None:
    expected = [
        PRICELESS
        | {
            "chain": "bitcoin",
            "block_height": height,
            "transaction_hash": name,
            "input_index": 0,
            "block_time": at(clock, SPENT_DAY),
            "block_date": SPENT_DAY,
            "created_block_height": made_height,
            "created_transaction_hash": made_by,
            "created_output_index": index,
            "created_time": datetime.fromisoformat(made_at).replace(tzinfo=UTC),
            "created_date": date.fromisoformat(made_at[:10]),
            "recipient": recipient,
            "is_address": True,
            "script_type": "pubkey",
            "is_from_coinbase": is_from_coinbase,
            "value_base": value,
            "lifespan_seconds": seconds,
            "coin_days_destroyed": Decimal(coin_days),
            "full_coin_days_destroyed": full_coin_days,
            # the blocks of that day are not loaded
            "is_final": False,
        }
        for (
            height,
            name,
            clock,
            made_height,
            made_by,
            index,
            made_at,
            value,
            seconds,
            recipient,
            is_from_coinbase,
            coin_days,
            full_coin_days,
        ) in INPUTS
    ]
    expect(rows(loaded, "fct_transaction_inputs", "block_height, created_block_height", "true"), expected)


def test_the_network_day(loaded: Checkout) -> None:
    expected = PRICELESS | {
        "chain": "bitcoin",
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
        "mean_difficulty": 1,
        "utilisation": Decimal("0.000215"),  # 860 of 4,000,000 weight units
        "is_final": True,
        "has_all_transactions": True,
        "has_all_outputs": True,
    }
    expect(rows(loaded, "fct_network_daily", "block_date"), [expected])


def test_new_addresses(loaded: Checkout) -> None:
    kind = {"chain": "bitcoin", "script_type": "pubkey", "is_synthetic": False}
    expected = [
        kind | {"block_date": DAY, "new_address_count": 14},
        # of the three that were spent from, one is that of block 9
        kind | {"block_date": SPENT_DAY, "new_address_count": 2},
    ]
    expect(rows(loaded, "fct_new_addresses_daily", "block_date"), expected)


def test_blocks_to_drill_through(loaded: Checkout) -> None:
    expected = [
        {
            "chain": "bitcoin",
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
    """The first inputs spend one coin of 9 January; the six others spend outputs of blocks that are not loaded."""
    expected: list[dict[str, object]] = []
    for age in range(4):
        day = date(2009, 1, 9 + age)
        known = (13 if day == SPENT_DAY else 14) * COINS_50
        expected.append(
            PRICELESS
            | {
                "chain": "bitcoin",
                "block_date": day,
                "supply_source": "unknown",
                "known_supply_base": known,
                "counted_supply_base": known,
                "active_supply_1y_base": known,
                "active_supply_1y_share": 1,
                "is_partial": True,
                "priced_ratio": 0,
                "spent_output_count": 0,
                "spent_base": 0,
                "revived_supply_1y_base": 0,
                "mean_coin_age_days": age,
                "is_final": day == DAY,
            }
        )
    expected[3] |= {
        "spent_output_count": 7,
        "spent_base": 17_900_000_000,
        "sopr_coverage_ratio": 0,
        # 50 coins for 2 full days
        "full_coin_days_destroyed": 100,
        # the seven amounts times their seconds are 1,470,077,000,000,000 satoshi-seconds
        "coin_days_destroyed": Decimal("170.147800925925925926"),
        "dormancy_days": Decimal("0.95054637"),
    }
    expect(rows(loaded, "fct_valuation_daily", "block_date"), expected)


def test_supply_by_age(loaded: Checkout) -> None:
    expected: list[dict[str, object]] = []
    for age in range(4):
        coins = 13 if age == 3 else 14
        for order, band in enumerate(AGE_BANDS, 1):
            held = coins if order == (1 if age == 0 else 2) else 0
            expected.append(
                PRICELESS
                | {
                    "chain": "bitcoin",
                    "block_date": date(2009, 1, 9 + age),
                    "age_band": band,
                    "band_order": order,
                    "supply_base": held * COINS_50,
                    "supply_share": 1 if held else 0,
                    "output_count": held,
                    "priced_supply_base": 0,
                    "is_partial": True,
                    "is_final": age == 0,
                }
            )
    expect(rows(loaded, "fct_supply_age_daily", "block_date, band_order"), expected)


def test_miners(loaded: Checkout) -> None:
    day = {"chain": "bitcoin", "block_date": DAY, "block_count": 14}
    totals = {"fee_total_base": 0, "generation_base": 14 * COINS_50, "reward_base": 14 * COINS_50}
    expect(
        rows(loaded, "fct_miner_daily", "miner"),
        [PRICELESS | day | totals | {"miner": "Unknown", "block_share_ratio": 1, "is_final": True}],
    )
    expect(
        rows(loaded, "rpt_miner_concentration_daily", "block_date"),
        [day | {"known_miner_count": 0, "unknown_share_ratio": 1, "hhi": 0}],
    )
    named = {
        "chain": "bitcoin",
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
            "chain": "bitcoin",
            "block_date": DAY,
            "verified_count": 14 - len(UNPROVED.get(name, ([], None))[0]),
            "unverifiable_count": len(UNPROVED.get(name, ([], None))[0]),
            "failed_count": 0,
            "unverifiable_heights": UNPROVED.get(name, ([], None))[0],
            "failed_heights": [],
            "reasons": UNPROVED.get(name, ([], None))[1],
        }
        for name in sorted([*UNPROVED, *PROVED])
    ]
    # Not of blocks but of dump days: those of blocks, transactions and outputs, and three days later that of inputs.
    for day, count in ((DAY, 3), (SPENT_DAY, 1)):
        counts = {"verified_count": count, "unverifiable_count": 0, "failed_count": 0}
        heights: dict[str, object] = {"unverifiable_heights": [], "failed_heights": []}
        about = {"check_name": "unit_rows", "severity": "integrity", "chain": "bitcoin", "block_date": day}
        expected.append(about | counts | heights)
    expect(rows(loaded, "fct_dq_results", 'check_name collate "C", block_date'), expected)


def test_reconciliation(loaded: Checkout) -> None:
    expected = {
        "chain": "bitcoin",
        "block_date": DAY,
        "block_count": 14,
        "header_verified_ratio": Decimal("0.928571"),  # 13 of 14
        "header_verified_count": 8 * 14 - 13,
        "header_unverifiable_count": 1 + 1 + 1 + 10,
        "amounts_verified_count": 2 * 14,
        "transactions_verified_count": 6 * 14,
        "outputs_inputs_verified_count": 14,
        "outputs_inputs_unverifiable_count": 5 * 14,
        "loading_verified_count": 3,
        "failed_heights": [],
        "reasons": "; ".join(f"{name}: {reason}" for name, (_, reason) in sorted(UNPROVED.items())),
    }
    found = rows(loaded, "rpt_reconciliation", "block_date")
    zeros = {name: 0 for name in found[0] if name.endswith("_count")}
    inputs: dict[str, object] = {"chain": "bitcoin", "block_date": SPENT_DAY, "loading_verified_count": 1}
    expect(found, [zeros | expected, zeros | inputs | {"failed_heights": []}])


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
        ("fct_miner_daily", 1),
        ("fct_dq_results", 24),
        ("rpt_reconciliation", 2),
    ],
)
def test_each_row_has_its_coin_and_its_day(loaded: Checkout, fact: str, count: int) -> None:
    found = loaded.sql(
        f"select count(*) from analytics.{fact} as fact join analytics.dim_asset using (asset_key)"  # noqa: S608
        " join analytics.dim_date using (date_key)"
        " where dim_asset.coingecko_id = 'bitcoin' and dim_date.date_day = fact.block_date"
    )
    assert found == [(count,)]


def test_rows_find_each_other_by_their_keys(loaded: Checkout) -> None:
    found = loaded.sql(
        "select o.block_height, b.block_hash, t.transaction_hash, f.transaction_type, o.output_key, i.block_height"
        " from analytics.fct_transaction_outputs as o"
        " join analytics.fct_blocks as b using (block_key)"
        " join analytics.fct_transactions as t using (transaction_key)"
        " join analytics.dim_transaction_flags as f using (transaction_flags_key)"
        " left join analytics.fct_transaction_inputs as i"
        " on i.spent_output_key = o.output_key and i.address_key = o.address_key"
        " order by 1"
    )
    assert found == [
        (height, name, coinbase, "coinbase", key("bitcoin", height, coinbase, 0), 170 if height == 9 else None)
        for height, (name, _, _, coinbase, _) in BLOCKS.items()
    ]
    assert loaded.sql(
        "select miner from analytics.fct_miner_daily join analytics.dim_miner using (miner_key, chain, miner)"
    ) == [("Unknown",)]
    assert loaded.sql(
        "select count(*) from analytics.fct_dq_results join analytics.dim_dq_check using (dq_check_key)"
    ) == [(24,)]
