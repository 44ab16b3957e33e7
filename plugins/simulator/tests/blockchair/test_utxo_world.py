"""Bitcoin and its kin: everything that can be recomputed is recomputed, from the served files alone."""

import struct
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from simulator.blockchair.chains import utxo_chain

Hash = Callable[[bytes], bytes]
Epoch = Callable[[str], int]
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Facts:
    """What is true of a real chain: first subsidy here in base units, blocks until it halves, addresses, columns."""

    subsidy: int
    halving: int | None
    version: int
    letters: str
    prefix: str = ""
    merge_mined: bool = False
    hash_is_work: bool = True
    from_the_start: bool = True


FACTS = {
    "bitcoin": Facts(50 * 10**8, 210_000, version=0x00, letters="1", prefix="bc"),
    "dogecoin": Facts(10_000 * 10**8, None, version=0x1E, letters="D", merge_mined=True, from_the_start=False),
    "litecoin": Facts(50 * 10**8, 840_000, version=0x30, letters="L", prefix="ltc", hash_is_work=False),
    "bitcoin-cash": Facts(50 * 10**8, 210_000, version=0x00, letters="1"),
}
CHAINS = ("bitcoin", "dogecoin")  # of the usual world
MATURITY = 8
COIN_DAYS = 10**8 * 86_400
SEGWIT = {"stripped_size", "weight", "witness_count", "has_witness", "spending_witness"}
HEADERS = {
    "blocks": "id|hash|time|median_time|size|stripped_size|weight|version|version_hex|version_bits|merkle_root|nonce|"
    "bits|difficulty|chainwork|coinbase_data_hex|transaction_count|witness_count|input_count|output_count|input_total|"
    "input_total_usd|output_total|output_total_usd|fee_total|fee_total_usd|fee_per_kb|fee_per_kb_usd|fee_per_kwu|"
    "fee_per_kwu_usd|cdd_total|generation|generation_usd|reward|reward_usd|guessed_miner",
    "transactions": "block_id|hash|time|size|weight|version|lock_time|is_coinbase|has_witness|input_count|output_count|"
    "input_total|input_total_usd|output_total|output_total_usd|fee|fee_usd|fee_per_kb|fee_per_kb_usd|fee_per_kwu|"
    "fee_per_kwu_usd|cdd_total",
    "outputs": "block_id|transaction_hash|index|time|value|value_usd|recipient|type|script_hex|is_from_coinbase|"
    "is_spendable",
    "inputs": "block_id|transaction_hash|index|time|value|value_usd|recipient|type|script_hex|is_from_coinbase|"
    "is_spendable|spending_block_id|spending_transaction_hash|spending_index|spending_time|spending_value_usd|"
    "spending_sequence|spending_signature_hex|spending_witness|lifespan|cdd",
}


class Chain:
    """All tables of a chain."""

    def __init__(self, served: Any, name: str) -> None:
        self.name, self.facts = name, FACTS[name]
        self.blocks, self.transactions, self.outputs, self.inputs = (served.rows(name, table) for table in HEADERS)

    def by(self, rows: Rows, *keys: str) -> dict[tuple[str, ...], Rows]:
        groups: dict[tuple[str, ...], Rows] = defaultdict(list)
        for row in rows:
            groups[tuple(row[key] for key in keys)].append(row)
        return groups


@pytest.fixture(scope="module", params=FACTS)
def chain(request: pytest.FixtureRequest, served: Any, serve: Any) -> Chain:
    usual = request.param in CHAINS
    return Chain(served if usual else serve(days=6, chains=(request.param,)), request.param)


@pytest.mark.parametrize("name", FACTS)
def test_subsidies_halve(name: str) -> None:
    first, interval = FACTS[name].subsidy, FACTS[name].halving
    subsidy = utxo_chain(name).subsidy
    assert subsidy(interval - 1 if interval else 10**8) == first
    if interval:
        assert (subsidy(interval), subsidy(4 * interval - 1)) == (first // 2, first // 8)
        assert subsidy(4 * interval) == first // 16


def wire(shown: str) -> bytes:
    return bytes.fromhex(shown)[::-1]


def compact(number: int) -> bytes:
    assert number < 0x10000
    return bytes((number,)) if number < 0xFD else b"\xfd" + struct.pack("<H", number)


@pytest.mark.parametrize("table", HEADERS)
def test_headers_are_the_contracts(chain: Chain, table: str) -> None:
    expected = HEADERS[table].split("|")
    if not chain.facts.prefix:
        expected = [name for name in expected if name not in SEGWIT and "kwu" not in name]
    expected += ["is_aux"] if table == "blocks" and chain.facts.merge_mined else []
    rows: Rows = getattr(chain, table)
    assert list(rows[0]) == expected


def test_block_headers_hash_to_their_hash_and_under_their_target(chain: Chain, sha256d: Hash, epoch: Epoch) -> None:
    parent, above = None, 0
    for block in chain.blocks:
        if parent is not None or block["id"] == "0":
            head = struct.pack(
                "<I32s32sIII",
                int(block["version"]),
                parent or bytes(32),
                wire(block["merkle_root"]),
                epoch(block["time"]),
                int(block["bits"]),
                int(block["nonce"]),
            )
            assert sha256d(head) == wire(block["hash"])
        parent = wire(block["hash"])
        bits = int(block["bits"])
        target = (bits & 0xFFFFFF) << 8 * ((bits >> 24) - 3)
        above += int(block["hash"], 16) > target
        assert Decimal(block["difficulty"]) == pytest.approx(Decimal(0xFFFF << 208) / target, rel=Decimal("1e-14"))
        assert "e" not in block["difficulty"].lower()
        assert int(block["version"]) == int(block["version_hex"], 16)
        assert int(block["version_bits"], 2) == int(block["version"])
        assert len(block["version_bits"]) == 30
    assert (above == 0) == chain.facts.hash_is_work  # a scrypt chain's work does not show in its hashes


def test_chainwork_adds_up(chain: Chain) -> None:
    work = None
    for block in chain.blocks:
        bits = int(block["bits"])
        step = (1 << 256) // (((bits & 0xFFFFFF) << 8 * ((bits >> 24) - 3)) + 1)
        if work is not None or block["id"] == "0":
            assert int(block["chainwork"], 16) == (work or 0) + step
        assert len(block["chainwork"]) == 64
        work = int(block["chainwork"], 16)


def test_times_follow_consensus_but_are_not_monotonic(chain: Chain, epoch: Epoch) -> None:
    times = [epoch(block["time"]) for block in chain.blocks]
    whole = 0 if chain.facts.from_the_start else 10  # how many of the eleven are known for the first block
    for at in range(whole, len(times)):
        last = sorted(times[max(at - 10, 0) : at + 1])
        assert epoch(chain.blocks[at]["median_time"]) == last[len(last) // 2]
        before = sorted(times[max(at - 11, 0) : at])
        if at > whole:
            assert times[at] > before[len(before) // 2]
    assert any(later < earlier for earlier, later in pairwise(times))


def test_files_hold_their_own_day_in_chain_order(served: Any) -> None:
    for name in CHAINS:
        for number in range(served.settings.days):
            day = f"2025-01-{1 + number:02d}"
            for table, column in (
                ("blocks", "time"),
                ("transactions", "time"),
                ("outputs", "time"),
                ("inputs", "spending_time"),
            ):
                rows = served.day(name, table, number)
                assert {row[column][:10] for row in rows} == {day}
                heights = [int(row.get("spending_block_id") or row.get("block_id") or row["id"]) for row in rows]
                assert heights == sorted(heights)
                assert len(served.day(name, "blocks", number)) == served.settings.blocks_per_day


def test_merkle_roots_over_transactions_in_file_order(chain: Chain, sha256d: Hash) -> None:
    odd = 0
    for (block_id,), rows in chain.by(chain.transactions, "block_id").items():
        level = [wire(row["hash"]) for row in rows]
        odd += len(level) % 2 and len(level) > 1
        while len(level) > 1:
            level += level[-1:] * (len(level) % 2)
            level = [sha256d(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
        block = chain.blocks[int(block_id) - int(chain.blocks[0]["id"])]
        assert level[0] == wire(block["merkle_root"])
    assert odd


def test_transactions_serialise_to_their_hash_size_and_weight(chain: Chain, sha256d: Hash) -> None:
    outputs = chain.by(chain.outputs, "transaction_hash")
    inputs = chain.by(chain.inputs, "spending_transaction_hash")
    data = {block["id"]: bytes.fromhex(block["coinbase_data_hex"]) for block in chain.blocks}
    with_witness = 0
    for row in chain.transactions:
        sources, stacks = [], []
        for spending in inputs[row["hash"],]:
            script = bytes.fromhex(spending["spending_signature_hex"])
            place = wire(spending["transaction_hash"]) + struct.pack("<I", int(spending["index"]))
            sequence = struct.pack("<I", int(spending["spending_sequence"]))
            sources.append(place + compact(len(script)) + script + sequence)
            stacks.append([bytes.fromhex(i) for i in spending.get("spending_witness", "").split(",") if i])
        if row["is_coinbase"] == "1":
            script = data[row["block_id"]]
            sources = [bytes(32) + b"\xff" * 4 + compact(len(script)) + script + b"\xff" * 4]
            stacks = [[bytes(32)]] if row.get("has_witness") == "1" else []
        scripts = [(int(made["value"]), bytes.fromhex(made["script_hex"])) for made in outputs[row["hash"],]]
        paid = b"".join(struct.pack("<Q", value) + compact(len(script)) + script for value, script in scripts)
        version, lock = struct.pack("<I", int(row["version"])), struct.pack("<I", int(row["lock_time"]))
        body = compact(len(sources)) + b"".join(sources) + compact(len(scripts)) + paid
        stripped = version + body + lock
        assert sha256d(stripped) == wire(row["hash"])
        witness = b"".join(compact(len(s)) + b"".join(compact(len(i)) + i for i in s) for s in stacks)
        has_witness = any(stacks)
        size = len(stripped) + (2 + len(witness) if has_witness else 0)
        assert int(row["size"]) == size
        if chain.facts.prefix:
            assert row["has_witness"] == str(int(has_witness))
            assert int(row["weight"]) == 3 * len(stripped) + size
            with_witness += has_witness and row["is_coinbase"] == "0"
    assert (with_witness > 0) == bool(chain.facts.prefix)


def test_sums_per_transaction(chain: Chain, epoch: Epoch) -> None:
    outputs = chain.by(chain.outputs, "transaction_hash")
    inputs = chain.by(chain.inputs, "spending_transaction_hash")
    for row in chain.transactions:
        made, spent = outputs[row["hash"],], inputs[row["hash"],]
        is_coinbase = row["is_coinbase"] == "1"
        assert int(row["output_count"]) == len(made)
        assert int(row["input_count"]) == len(spent) + is_coinbase
        assert int(row["output_total"]) == sum(int(one["value"]) for one in made)
        assert int(row["input_total"]) == sum(int(one["value"]) for one in spent)
        fee = 0 if is_coinbase else int(row["input_total"]) - int(row["output_total"])
        assert int(row["fee"]) == fee
        assert fee >= 0
        assert Decimal(row["fee_per_kb"]) == pytest.approx(Decimal(fee * 1000) / int(row["size"]), rel=Decimal("1e-14"))
        assert {one["is_from_coinbase"] for one in made} == {str(int(is_coinbase))}
        assert [int(one["index"]) for one in made] == list(range(len(made)))
        assert [int(one["spending_index"]) for one in spent] == list(range(len(spent)))
        destroyed = sum(int(o["value"]) * (epoch(o["spending_time"]) - epoch(o["time"])) for o in spent)
        assert float(row["cdd_total"]) == destroyed / COIN_DAYS
        for one in spent:
            assert int(one["lifespan"]) == epoch(one["spending_time"]) - epoch(one["time"]) >= 0
            assert float(one["cdd"]) == int(one["value"]) * int(one["lifespan"]) / COIN_DAYS


def test_sums_per_block(chain: Chain) -> None:
    by_block = chain.by(chain.transactions, "block_id")
    for block in chain.blocks:
        rows = by_block[block["id"],]
        paying = [row for row in rows if row["is_coinbase"] == "0"]
        assert [row["is_coinbase"] for row in rows] == ["1"] + ["0"] * len(paying)
        assert int(block["transaction_count"]) == len(rows)
        for total, part in (
            ("input_count", "input_count"),
            ("output_count", "output_count"),
            ("input_total", "input_total"),
            ("output_total", "output_total"),
            ("fee_total", "fee"),
        ):
            assert int(block[total]) == sum(int(row[part]) for row in rows)
        assert int(block["generation"]) == chain.facts.subsidy
        assert (
            int(block["reward"]) == int(block["generation"]) + int(block["fee_total"]) == int(rows[0]["output_total"])
        )
        assert int(block["output_total"]) == int(block["input_total"]) + int(block["generation"])
        assert int(block["size"]) == 81 + sum(int(row["size"]) for row in rows)
        size = sum(int(row["size"]) for row in paying)
        rate = Decimal(int(block["fee_total"]) * 1000) / size if size else Decimal(0)
        assert Decimal(block["fee_per_kb"]) == pytest.approx(rate, rel=Decimal("1e-14"))
        if chain.facts.prefix:
            assert int(block["witness_count"]) == sum(int(row["has_witness"]) for row in rows)
            assert int(block["weight"]) == 4 * 81 + sum(int(row["weight"]) for row in rows)
            assert int(block["weight"]) == 3 * int(block["stripped_size"]) + int(block["size"])


def test_outputs_are_spent_once_as_they_were_made_and_in_time(chain: Chain) -> None:
    made = {(row["transaction_hash"], row["index"]): row for row in chain.outputs}
    assert len(made) == len(chain.outputs)
    spent = [(row["transaction_hash"], row["index"]) for row in chain.inputs]
    assert len(set(spent)) == len(spent)
    first, older, reused = int(chain.blocks[0]["id"]), 0, 0
    for row in chain.inputs:
        original = made.get((row["transaction_hash"], row["index"]))
        if original is None:  # made before this world
            assert int(row["block_id"]) < first
            older += 1
            continue
        assert {name: row[name] for name in original} == original
        gap = int(row["spending_block_id"]) - int(row["block_id"])
        assert gap >= (MATURITY if row["is_from_coinbase"] == "1" else 0)
        reused += gap == 0
    assert reused  # spent in the very block that made them
    assert (older > 0) == (not chain.facts.from_the_start)
    assert not any(row["block_id"] == "0" for row in chain.inputs)  # the first coinbase of all stays where it is


def test_outputs_are_spent_after_they_were_made_within_a_block(chain: Chain) -> None:
    place = {row["hash"]: at for at, row in enumerate(chain.transactions)}
    for row in chain.inputs:
        if row["transaction_hash"] in place:
            assert place[row["transaction_hash"]] < place[row["spending_transaction_hash"]]


def test_types_scripts_and_addresses_agree(chain: Chain, sha256d: Hash) -> None:
    seen = defaultdict(set)
    for row in chain.outputs:
        script, kind = bytes.fromhex(row["script_hex"]), row["type"]
        seen[kind].add(row["is_spendable"])
        if kind == "nulldata":
            assert script[0] == 0x6A
            assert row["recipient"].startswith("d-")
            assert len(row["recipient"]) == 34
            assert row["value"] == "0"
        elif kind == "witness_v0_keyhash":
            assert bech32_program(row["recipient"], chain.facts.prefix) == script[2:]
            assert script[:2] == b"\x00\x14"
        else:
            version, payload = base58_payload(row["recipient"], sha256d)
            assert version == chain.facts.version
            assert row["recipient"][0] in chain.facts.letters
            if kind == "pubkeyhash":
                assert script == b"\x76\xa9\x14" + payload + b"\x88\xac"
    expected = {"pubkey": {"1"}, "pubkeyhash": {"-1"}, "nulldata": {"0"}}
    assert seen == expected | ({"witness_v0_keyhash": {"-1"}} if chain.facts.prefix else {})


def base58_payload(address: str, sha256d: Hash) -> tuple[int, bytes]:
    number = 0
    for letter in address:
        number = number * 58 + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(letter)
    whole = number.to_bytes(25, "big")
    assert sha256d(whole[:-4])[:4] == whole[-4:]
    return whole[0], whole[1:-4]


def bech32_program(address: str, prefix: str) -> bytes:
    assert address.startswith(f"{prefix}1")
    values = ["qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(letter) for letter in address[len(prefix) + 1 :]]
    stretched = [*(ord(letter) >> 5 for letter in prefix), 0, *(ord(letter) & 31 for letter in prefix)]
    check = 1
    for value in [*stretched, *values]:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    assert check == 1
    assert values[0] == 0
    number = 0
    for value in values[1:-6]:
        number = number << 5 | value
    return (number >> 5 * len(values[1:-6]) - 160).to_bytes(20, "big")


def test_coinbase_carries_its_height(chain: Chain) -> None:
    for block in chain.blocks:
        data, height = bytes.fromhex(block["coinbase_data_hex"]), int(block["id"])
        assert 2 <= len(data) <= 100
        if height > 16:
            assert int.from_bytes(data[1 : 1 + data[0]], "little") == height
        else:
            assert data[0] == (0x50 + height if height else 0)


def test_witness_commitment_of_every_bitcoin_block(served: Any, sha256d: Hash) -> None:
    chain = Chain(served, "bitcoin")
    coinbases = {row["hash"] for row in chain.transactions if row["is_coinbase"] == "1"}
    marks = [row for row in chain.outputs if row["transaction_hash"] in coinbases and row["type"] == "nulldata"]
    assert len(marks) == len(chain.blocks)
    assert {row["script_hex"][:12] for row in marks} == {"6a24aa21a9ed"}
    alone = sha256d(bytes(64))  # of a block with nothing but its coinbase
    assert marks[0]["script_hex"][12:] == alone.hex()


def test_usd_is_the_close_of_each_sides_own_day(chain: Chain, prices: Any, epoch: Epoch) -> None:
    def close(time: str) -> Decimal:
        return prices.close(chain.name, datetime.fromtimestamp(epoch(time), UTC).date())  # type: ignore[no-any-return]

    for row in chain.inputs:
        for column, time in (("value_usd", row["time"]), ("spending_value_usd", row["spending_time"])):
            exact = Decimal(row["value"]) * close(time) / 10**8
            assert abs(Decimal(row[column]) - exact) <= Decimal("0.00005")
            assert "." not in row[column] or not row[column].endswith("0")


def test_dogecoin_totals_pass_64_bits_but_no_output_passes_the_limit(served: Any) -> None:
    chain = Chain(served, "dogecoin")
    totals = [int(block["output_total"]) for block in chain.blocks]
    assert sum(total > 2**63 for total in totals) == served.settings.days
    assert max(int(row["output_total"]) for row in chain.transactions) <= 10**10 * 10**8
    assert served.api("dogecoin/stats")["data"]["circulation"] > 2**63
    big = next(block["id"] for block in chain.blocks if int(block["output_total"]) > 2**63)
    listed = served.api(f"dogecoin/blocks?q=id({big})")["data"][0]
    assert listed["output_total"] == next(int(b["output_total"]) for b in chain.blocks if b["id"] == big)


def test_dogecoin_marks_merged_blocks(served: Any) -> None:
    blocks = served.rows("dogecoin", "blocks")
    assert {row["is_aux"] for row in blocks} == {"0", "1"}
    assert all(row["is_aux"] == str(int(row["version"]) >> 8 & 1) for row in blocks)
