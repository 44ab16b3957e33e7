"""Blocks of Bitcoin and its kin: what each must fulfil, and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mirror_node.errors import RefusedBlockError
from mirror_node.pools import guessed_miner
from mirror_node.raw_blocks import (
    AUXPOW_BIT,
    NO_OUTPUT,
    RawBlock,
    Transaction,
    double_sha256,
    merkle_root,
    shown,
)
from mirror_node.scripts import Scripts
from mirror_node.tables import BlockRows, ratio, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mirror_node.chains import Chain

_COIN_DAY = 10**8 * 86_400
"""Base units and seconds in a coin-day; all UTXO chains here have eight decimals."""
_COMMITMENT = bytes.fromhex("6a24aa21a9ed")  # BIP 141
_COMMITMENT_SIZE = 38


class Spent(NamedTuple):
    """The output that an input spends: its block's height and time, value in base units, script."""

    height: int
    time: int
    value: int
    is_generated: bool
    script: bytes


@dataclass(frozen=True)
class Facts:
    """What a node says of a block beside its bytes; `fees` by transaction, in base units, where it says them."""

    height: int
    hash: str
    median_time: int
    difficulty: str
    chainwork: str
    fees: Sequence[int | None] = ()


@dataclass(frozen=True)
class _Sums:
    """Of a transaction: inputs and outputs in base units, and value times age (base units times seconds)."""

    inputs: int
    outputs: int
    aged: int
    fee: int


class Writer:
    """Verifies blocks of a chain and writes their rows.

    Args:
        network: As `getblockchaininfo` names it.
        origin: Client and version, for the column of that name.
    """

    def __init__(self, chain: Chain, network: str, origin: str) -> None:
        self._chain, self._network, self._origin = chain, network, origin
        self._scripts = Scripts(
            chain.addresses(network), has_extension=chain.has_extension, has_false_return=chain.has_false_return
        )

    def rows(self, facts: Facts, block: RawBlock, spent: Sequence[Spent]) -> BlockRows:
        """Verify a block and write its rows; `spent` has the output of each input but the coinbase's, in order.

        Raises:
            RefusedBlockError: The block breaks a rule.
        """
        verify_bytes(facts, block)
        sums = list(self._sums(facts, block, spent))
        self._verify_amounts(facts, sums)
        time, origin = written(block.header.time), self._origin
        inputs: list[str] = []
        outputs: list[str] = []
        transactions: list[str] = []
        rest = iter(spent)
        for position, (transaction, of) in enumerate(zip(block.transactions, sums, strict=True)):
            txid = shown(transaction.txid)
            head = f"{facts.height}\t{txid}\t"
            self._write_outputs(outputs, head, time, transaction, is_coinbase=not position)
            if position:
                tail = f"\t{facts.height}\t{txid}\t"
                self._write_inputs(inputs, tail, time, block.header.time, transaction, rest)
            transactions.append(f"{head}{time}\t{self._transaction(transaction, of, position)}\t{origin}\n")
        tables = {
            "inputs": "".join(inputs).encode("ascii"),
            "outputs": "".join(outputs).encode("ascii"),
            "transactions": "".join(transactions).encode("ascii"),
            "blocks": f"{self._block(facts, block, sums)}\t{origin}\n".encode(),
        }
        rows = {"inputs": len(inputs), "outputs": len(outputs), "transactions": len(transactions), "blocks": 1}
        parent = shown(block.header.previous)
        return BlockRows(facts.height, facts.hash, parent, block.header.time, facts.median_time, tables, rows)

    def _sums(self, facts: Facts, block: RawBlock, spent: Sequence[Spent]) -> Iterator[_Sums]:
        """Add up each transaction; its fee must not be negative, and be what the node says where it says one."""
        needed = sum(len(transaction.inputs) for transaction in block.transactions[1:])
        if len(spent) != needed:
            raise RefusedBlockError(facts.height, "the number of spent outputs", len(spent), needed)
        at, now = 0, block.header.time
        for position, transaction in enumerate(block.transactions):
            paid = sum([value for value, _ in transaction.outputs])
            if not position:
                yield _Sums(0, paid, 0, 0)
                continue
            own = spent[at : at + len(transaction.inputs)]
            at += len(own)
            total = sum([output.value for output in own])
            fee = total - paid
            if fee < 0:
                raise RefusedBlockError(facts.height, f"the fee of {shown(transaction.txid)}", fee, "0 or more")
            said = facts.fees[position] if facts.fees else None
            if said is not None and said != fee:
                raise RefusedBlockError(facts.height, f"inputs - outputs of {shown(transaction.txid)}", fee, said)
            yield _Sums(total, paid, sum([output.value * (now - output.time) for output in own]), fee)

    def _verify_amounts(self, facts: Facts, sums: list[_Sums]) -> None:
        fees = sum(of.fee for of in sums)
        most = self._chain.subsidy(facts.height, self._network) + fees
        if sums[0].outputs > most:
            raise RefusedBlockError(facts.height, "what the coinbase pays", sums[0].outputs, f"{most} or less")

    def _transaction(self, transaction: Transaction, of: _Sums, position: int) -> str:
        """Write a transaction's columns from `size` on."""
        with_witness = self._chain.has_witnesses
        weight = f"{transaction.weight}\t" if with_witness else ""
        witness = f"{transaction.has_witness:d}\t" if with_witness else ""
        per_kwu = f"{ratio(of.fee * 1000, transaction.weight)}\t\\N\t" if with_witness else ""
        return (
            f"{transaction.size}\t{weight}{transaction.version}\t{transaction.lock_time}\t{not position:d}\t{witness}"
            f"{len(transaction.inputs)}\t{len(transaction.outputs)}\t{of.inputs}\t\\N\t{of.outputs}\t\\N\t"
            f"{of.fee}\t\\N\t{ratio(of.fee * 1000, transaction.size)}\t\\N\t{per_kwu}{ratio(of.aged, _COIN_DAY)}"
        )

    def _write_outputs(
        self, lines: list[str], head: str, time: str, transaction: Transaction, *, is_coinbase: bool
    ) -> None:
        read = self._scripts.read
        origin = self._origin
        for index, (value, script) in enumerate(transaction.outputs):
            kind, address = read(script)
            lines.append(
                f"{head}{index}\t{time}\t{value}\t\\N\t{address}\t{kind}\t{script.hex()}\t{is_coinbase:d}\t"
                f"{_SPENDABLE.get(kind, '-1')}\t{origin}\n"
            )

    def _write_inputs(  # noqa: PLR0913, PLR0917 (called for each transaction of a day)
        self, lines: list[str], tail: str, time: str, now: int, transaction: Transaction, rest: Iterator[Spent]
    ) -> None:
        read = self._scripts.read
        origin = self._origin
        with_witness = self._chain.has_witnesses
        for index, (outpoint, signature, sequence, witness) in enumerate(transaction.inputs):
            height, created, value, is_generated, script = next(rest)
            kind, address = read(script)
            age = now - created
            items = f"{','.join([item.hex() for item in witness])}\t" if with_witness else ""
            lines.append(
                f"{height}\t{outpoint[31::-1].hex()}\t{int.from_bytes(outpoint[32:], 'little')}\t{written(created)}\t"
                f"{value}\t\\N\t{address}\t{kind}\t{script.hex()}\t{is_generated:d}\t{_SPENDABLE.get(kind, '-1')}"
                f"{tail}{index}\t{time}\t\\N\t{sequence}\t{signature.hex()}\t{items}{age}\t"
                f"{ratio(value * age, _COIN_DAY)}\t{origin}\n"
            )

    def _block(self, facts: Facts, block: RawBlock, sums: list[_Sums]) -> str:
        header, transactions = block.header, block.transactions
        coinbase = transactions[0]
        fees = sum(of.fee for of in sums)
        inputs, outputs = sum(of.inputs for of in sums), sum(of.outputs for of in sums)
        script = coinbase.inputs[0].script
        fields: list[object] = [
            facts.height, facts.hash, written(header.time), written(facts.median_time), block.size, block.stripped,
            block.weight, header.version, f"{header.version & 0xFFFFFFFF:x}", f"{header.version & 0x3FFFFFFF:030b}",
            shown(header.merkle_root), header.nonce, header.bits, facts.difficulty, facts.chainwork, script.hex(),
            len(transactions), sum(transaction.has_witness for transaction in transactions),
            sum(len(transaction.inputs) for transaction in transactions),
            sum(len(transaction.outputs) for transaction in transactions), inputs, "\\N", outputs, "\\N", fees, "\\N",
            ratio(fees * 1000, sum(transaction.size for transaction in transactions[1:])), "\\N",
            ratio(fees * 1000, sum(transaction.weight for transaction in transactions[1:])), "\\N",
            ratio(sum(of.aged for of in sums), _COIN_DAY), outputs - inputs, "\\N", outputs - inputs + fees, "\\N",
            guessed_miner(self._chain.name, script),
        ]  # fmt: skip
        if not self._chain.has_witnesses:
            fields = [field for place, field in enumerate(fields) if place not in _WITNESS_PLACES]
        if self._chain.has_auxpow:
            fields.append(int(bool(header.version & AUXPOW_BIT)))
        return "\t".join(map(str, fields))


_SPENDABLE = {"nulldata": "0", "pubkey": "1"}
# Of stripped_size, weight, witness_count, fee_per_kwu and fee_per_kwu_usd among a block's fields.
_WITNESS_PLACES = frozenset({5, 6, 17, 28, 29})


def verify_bytes(facts: Facts, block: RawBlock) -> None:
    """Hold a block's bytes against its hash.

    Raises:
        RefusedBlockError: They are not the block's.
    """
    height, transactions = facts.height, block.transactions
    if shown(block.hash) != facts.hash:
        raise RefusedBlockError(height, "the header's hash", shown(block.hash), facts.hash)
    txids = [transaction.txid for transaction in transactions]
    root = merkle_root(txids)
    if root != block.header.merkle_root:
        raise RefusedBlockError(height, "the merkle root", shown(root), shown(block.header.merkle_root))
    if len(set(txids)) != len(txids):  # the same root has a list that ends in a repetition (CVE-2012-2459)
        raise RefusedBlockError(height, "the number of different transactions", len(set(txids)), len(txids))
    coinbases = [len(each.inputs) == 1 and each.inputs[0].outpoint == NO_OUTPUT for each in transactions]
    if coinbases != [True] + [False] * (len(transactions) - 1):
        places = [place for place, is_one in enumerate(coinbases) if is_one]
        raise RefusedBlockError(height, "the place of the coinbase", places, [0])
    _verify_witnesses(height, transactions)


def _verify_witnesses(height: int, transactions: list[Transaction]) -> None:
    """Hold the witnesses against what the coinbase commits to, since txids do not cover them (BIP 141)."""
    if not any(transaction.has_witness for transaction in transactions):
        return
    coinbase = transactions[0]
    commitments = [
        script[len(_COMMITMENT) : _COMMITMENT_SIZE]
        for _, script in coinbase.outputs
        if script.startswith(_COMMITMENT) and len(script) >= _COMMITMENT_SIZE
    ]
    reserved = coinbase.inputs[0].witness
    root = merkle_root([bytes(32), *(transaction.wtxid for transaction in transactions[1:])])
    found = double_sha256(root + reserved[0]) if len(reserved) == 1 else b""
    if not commitments or found != commitments[-1]:
        expected = commitments[-1].hex() if commitments else "a commitment in the coinbase"
        raise RefusedBlockError(height, "the hash of the witnesses", found.hex() or "unknown", expected)
