"""What is known of the published day of 9 January 2009, and of the coins of it that were spent three days later."""

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal

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
