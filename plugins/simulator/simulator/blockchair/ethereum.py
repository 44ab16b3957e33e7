"""Ethereum, block by block: accounts that pay each other, gas around its target, the base fee that follows."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from simulator.blockchair.balances import AccountBalances
from simulator.blockchair.chains import ETHER, ETHEREUM, GWEI
from simulator.blockchair.ethereum_model import (
    CALL,
    CALL_TREE,
    CREATE,
    SYNTHETIC,
    EthereumBlock,
    EthereumTransaction,
    Uncle,
    next_base_fee,
    pack,
    unpack,
)
from simulator.blockchair.ledger import Ledger
from simulator.blockchair.rng import Rng, fingerprint
from simulator.blockchair.times import DAY, midnight
from simulator.blockchair.tokens import FIRST_TRANSFER, TokenRegistry, transfer_count
from simulator.settings import LONDON, MERGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.settings import Settings
    from simulator.spool import Spool

FIRST_HEIGHTS: Final = {MERGED: 21_500_000, LONDON: 13_000_000}
"""Height of a world's first block, by era."""
TOTAL_DIFFICULTY: Final = 58750003716598352816469
"""Where mainnet's total difficulty has stood since the Merge."""
NO_UNCLES: Final = "1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
"""Hash of an empty list of uncles."""

_EARLIER_TOTAL_DIFFICULTY: Final = 30_000_000_000_000_000_000_000
_DIFFICULTY: Final = (8_500_000_000_000_000, 9_500_000_000_000_000)
_SUBSIDY: Final = 2 * ETHER
"""Since EIP-1234; a 32nd of it for including an uncle, and eighths of it for the uncle's miner."""
_MOST_UNCLES: Final = 2
_UNCLE_IN_PERCENT: Final = 12
_FIRST_TOKEN: Final = 400_000
_EMPTY_TRIE: Final = "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
_SLOT: Final = 12
_SLOTS: Final = DAY // _SLOT
_TRANSFER_GAS: Final = 21_000
_LEAST_GAS_LIMIT: Final = 30_000_000
_LIMIT_DIVISOR: Final = 1024
_GAS_PER_TRANSACTION: Final = 200_000
_FIRST_BASE_FEE: Final = 12 * GWEI
_CHEAP: Final = 8 * GWEI
_DEAR: Final = 25 * GWEI
_BUILDERS: Final = ("harbour builder", "tin kettle", "", "slow relay")
_PEOPLE: Final = 60
_CONTRACTS: Final = 12
_TREASURY_VALUE: Final = 2_000_000 * ETHER
_DEPOSITS_VALUE: Final = 34_000_000 * ETHER
_REST_VALUE: Final = 83_000_000 * ETHER
"""What all those hold who take no part here, in one contract, so that the supply is the real one's size."""
_HAVE_AT_LEAST: Final = 20 * ETHER
_LOW: Final = 1_000 * ETHER
"""Of the first person, who pays for all that have spent theirs; below it the contract of the rest pays out."""
_HEADER_BYTES: Final = 540
_TRANSACTION_BYTES: Final = 115


class EthereumLedger(Ledger[EthereumBlock, EthereumTransaction]):
    """The Ethereum of a world."""

    pack, unpack = staticmethod(pack), staticmethod(unpack)

    def __init__(self, settings: Settings, spool: Spool, forks: Sequence[int] = ()) -> None:
        super().__init__(ETHEREUM, FIRST_HEIGHTS[settings.ethereum_era], settings, spool, forks)
        self._people = [self._address("person", number) for number in range(_PEOPLE)]
        self._contracts = [self._address("contract", number) for number in range(_CONTRACTS)]
        self._miners = [self._address("builder", number) for number in range(len(_BUILDERS))]
        self._opening = self._first_balances()
        self.opening_supply = sum(self._opening.values())
        self._balances: defaultdict[str, int] = defaultdict(int, self._opening)
        self._nonces: defaultdict[str, int] = defaultdict(int)
        self._gas_limit = max(_LEAST_GAS_LIMIT, _GAS_PER_TRANSACTION * self.transactions_per_block)
        self._least_gas_limit = self._gas_limit
        self._base_fee = _FIRST_BASE_FEE
        self._parent = self._mark("parent")
        self._total_difficulty = TOTAL_DIFFICULTY if settings.ethereum_era == MERGED else _EARLIER_TOTAL_DIFFICULTY
        self._tokens = TokenRegistry(
            self._contracts[2:],
            (self.first_height, midnight(settings.start)),
            first_id=_FIRST_TOKEN,
            control="control-characters" in settings.quirks,
        )
        self.tokens = self._tokens.tokens
        self._transfers = FIRST_TRANSFER
        self._calls_owed = 0
        self._is_scarce = False
        self._branch: tuple[object, ...] = ()

    def _mark(self, *parts: object) -> str:
        return fingerprint(self._settings.seed, "ethereum", *parts).hex()

    def _address(self, *parts: object) -> str:
        return self._mark(*parts)[-40:]

    def opening(self) -> AccountBalances:
        """The balances before the first block."""
        return AccountBalances(self._opening.items(), self._contracts)

    def _first_balances(self) -> dict[str, int]:
        rng = Rng(self._settings.seed, "ethereum", "opening")
        balances = {person: rng.magnitude(20, 23) for person in self._people}
        balances[self._people[0]] = _TREASURY_VALUE + rng.below(ETHER)
        balances[self._contracts[0]] = _DEPOSITS_VALUE
        balances[self._contracts[1]] = _REST_VALUE
        return balances

    def _day(self, start: int) -> Iterator[EthereumBlock]:
        blocks = self.blocks_per_day
        # Blocks sit in 12-second slots, the first of a day at 00:00:11; a denser world has slots of a second.
        slots, width, first = (_SLOTS, _SLOT, _SLOT - 1) if blocks <= _SLOTS else (DAY, 1, 0)
        for place in range(blocks):
            height = self.first_height + len(self.blocks)
            rng = self._rng(height)
            slot = place * slots // blocks + rng.below(slots // blocks)
            self._branch = self._branch_at(height)
            if self._branch:  # its time is that of the block it replaces, all else is its own
                rng = self._rng(height, *self._branch)
            yield self._block(rng, height, start + first + width * slot)

    def _block(self, rng: Rng, height: int, time: int) -> EthereumBlock:
        if self.blocks:
            last = self.blocks[-1]
            self._base_fee = next_base_fee(last.base_fee_per_gas, last.gas_used, last.gas_limit)
            step = self._gas_limit // _LIMIT_DIVISOR - 1
            self._gas_limit = max(self._least_gas_limit, self._gas_limit + rng.between(-step, step))
        transactions = [
            self._transaction(rng, (height, time, index), gas)
            for index, gas in enumerate(self._gas_plan(rng, self._gas_limit // 2))
        ]
        builder = rng.below(len(_BUILDERS))
        uncles = [self._uncle(rng, height, time, index) for index in range(self._uncle_count(rng, height))]
        made = self._settings.ethereum_era == LONDON
        difficulty = rng.between(*_DIFFICULTY) if made else 0
        self._total_difficulty += difficulty
        payouts = [(self._miners[builder], 0), *((uncle.miner, uncle.generation) for uncle in uncles)]
        block = EthereumBlock(
            id=height,
            hash=self._mark("block", height, self._parent, *self._branch, *(tx.hash for tx in transactions)),
            time=time,
            size=_HEADER_BYTES + sum(_TRANSACTION_BYTES + len(tx.input_hex or "") // 2 for tx in transactions),
            miner=self._miners[builder],
            extra_data_hex=_BUILDERS[builder].encode().hex(),
            gas_limit=self._gas_limit,
            base_fee_per_gas=self._base_fee,
            logs_bloom=(rng.raw(256) if any(tx.type == CALL_TREE for tx in transactions) else bytes(256)).hex(),
            mix_hash=rng.raw(32).hex(),
            receipts_root=self._mark("receipts", height, *self._branch) if transactions else _EMPTY_TRIE,
            state_root=self._mark("state", height, *self._branch),
            transactions_root=self._mark("transactions", height, *self._branch) if transactions else _EMPTY_TRIE,
            made=[
                *transactions,
                *(
                    _payout((height, time, len(transactions) + place), miner, amount)
                    for place, (miner, amount) in enumerate(payouts)
                ),
            ],
            uncles=uncles,
            difficulty=difficulty,
            total_difficulty=self._total_difficulty,
            nonce=str(int.from_bytes(rng.raw(8), "big")) if made else "0",
            sha3_uncles=self._mark("uncles", *(uncle.hash for uncle in uncles)) if uncles else NO_UNCLES,
            generation=_SUBSIDY + len(uncles) * _SUBSIDY // 32 if made else 0,
            transfers_before=self._transfers,
            known=self.tokens,
            known_count=len(self.tokens),
        )
        payout = block.transactions[len(transactions)]
        payout.value = block.reward
        for synthetic in block.synthetic:
            self._apply(synthetic)
        for transaction in transactions:
            self._transfers += transfer_count(transaction)
            self._tokens.note(transaction)
        self._parent = block.hash
        return block

    def _uncle_count(self, rng: Rng, height: int) -> int:
        """Uncles of a block: none after the Merge, nor in a world's first few blocks."""
        if self._settings.ethereum_era == MERGED or height < self.first_height + _MOST_UNCLES:
            return 0
        return 0 if not rng.chance(_UNCLE_IN_PERCENT) else 1 if rng.chance(80) else _MOST_UNCLES

    def _uncle(self, rng: Rng, height: int, time: int, index: int) -> Uncle:
        """An uncle one or two blocks older than the block that names it."""
        depth = rng.between(1, 2)
        rival = self.blocks[-depth]
        builder = rng.below(len(_BUILDERS))
        mark = self._mark("uncle", height, index, *self._branch)
        return Uncle(
            parent_block_id=height,
            index=index,
            id=height - depth,
            hash=mark,
            time=min(rival.time + rng.below(5), time - 1),
            size=_HEADER_BYTES + rng.below(60_000),
            miner=self._miners[builder],
            extra_data_hex=_BUILDERS[builder].encode().hex(),
            difficulty=rng.between(*_DIFFICULTY),
            gas_used=rng.below(rival.gas_limit),
            gas_limit=rival.gas_limit,
            base_fee_per_gas=rival.base_fee_per_gas,
            logs_bloom=rng.raw(256).hex(),
            mix_hash=rng.raw(32).hex(),
            nonce=str(int.from_bytes(rng.raw(8), "big")),
            receipts_root=rng.raw(32).hex(),
            sha3_uncles=NO_UNCLES,
            state_root=rng.raw(32).hex(),
            transactions_root=rng.raw(32).hex(),
            generation=_SUBSIDY * (8 - depth) // 8,
        )

    def _gas_plan(self, rng: Rng, target: int) -> list[int]:
        """Gas for each transaction of a block; the sum leans against the base fee, so that it stays in a band."""
        mean = self.transactions_per_block
        number = rng.between(max(mean - mean // 2, 1), mean + mean // 2)
        kind = rng.below(100)
        if kind < 2:  # noqa: PLR2004 - two of a hundred blocks are empty
            return []
        low, high = (105, 150) if self._base_fee < _CHEAP else (40, 95) if self._base_fee > _DEAR else (50, 150)
        left = target if kind < 7 else target * rng.between(low, high) // 100  # noqa: PLR2004 - five hit it exactly
        plan = []
        for rest in range(number - 1, 0, -1):
            wanted = _TRANSFER_GAS if rng.chance(45) else rng.between(45_000, 400_000)
            plan.append(min(wanted, left - rest * _TRANSFER_GAS))
            left -= plan[-1]
        return [*plan, left]

    def _transaction(self, rng: Rng, place: tuple[int, int, int], gas: int) -> EthereumTransaction:
        height, time, index = place
        sender = rng.pick(self._people)
        if self._balances[sender] < _HAVE_AT_LEAST:
            sender = self._people[0]
        if self._balances[sender] < _HAVE_AT_LEAST:
            sender = max(self._people, key=lambda person: self._balances[person])
        kind = CALL if gas == _TRANSFER_GAS else CREATE if rng.chance(6) else CALL_TREE
        failed = kind != CALL and rng.chance(6)
        nonce = self._nonces[sender]
        # A quarter of what the sender has at most, so that the fee is always covered too.
        value = min(rng.magnitude(13, 22), self._balances[sender] // 4) if kind == CALL or rng.chance(40) else 0
        is_legacy = rng.chance(20)
        priority = rng.between(GWEI // 1_000, 3 * GWEI)
        transaction = EthereumTransaction(
            block_id=height,
            time=time,
            position=index,
            index=index,
            hash=self._mark("transaction", sender, nonce, *self._branch),
            failed=failed,
            type=kind,
            sender=sender,
            recipient=self._recipient(rng, kind, sender, nonce),
            call_count=self._call_count(rng) if kind == CALL_TREE and not failed else 1,
            value=value,
            gas_used=gas,
            gas_limit=gas if kind == CALL or failed else gas * rng.between(100, 150) // 100,
            gas_price=self._base_fee + priority,
            input_hex="" if kind == CALL else rng.raw(4 + 32 * rng.between(1, 8 if kind == CREATE else 4)).hex(),
            nonce=nonce,
            v=("25", "26")[rng.below(2)] if is_legacy else str(rng.below(2)),
            r=rng.raw(32).hex(),
            s=(bytes((rng.below(64),)) + rng.raw(31)).hex(),  # in the lower half, as EIP-2 asks
            type_2718=0 if is_legacy else 2,
            base_fee_per_gas=self._base_fee,
            max_fee_per_gas=None if is_legacy else 2 * self._base_fee + priority,
            max_priority_fee_per_gas=None if is_legacy else priority,
        )
        if kind == CALL_TREE and value and rng.chance(60):
            forwarded = value * rng.between(1, 100) // 100
            transaction.internal = ((transaction.recipient, rng.pick(self._people), forwarded),)
        if kind == CALL_TREE and not failed and self._balances[self._people[0]] < _LOW:
            self._refill(transaction)
        elif self._is_scarce and kind != CALL_TREE and transaction.recipient not in self._people:
            transaction.value = min(value, ETHER)
        self._nonces[sender] += 1
        self._calls_owed += (self._settings.calls_per_transaction or 0) - transaction.call_count
        self._apply(transaction)
        return transaction

    def _refill(self, transaction: EthereumTransaction) -> None:
        """Let the richest contract pay the person who pays for those that have nothing.

        What contracts and newcomers are paid, no person can spend. Once half of the reserve is gone, newcomers are paid
        little, so that it lasts for months of real size.
        """
        richest = max(self._contracts, key=lambda contract: self._balances[contract])
        transaction.recipient = richest
        transaction.internal = ((richest, self._people[0], min(_LOW, self._balances[richest] // 1000)),)
        self._is_scarce = self._balances[richest] < _REST_VALUE // 2

    def _call_count(self, rng: Rng) -> int:
        """How many calls a contract makes of one: where an average is asked for, what brings all of them near it."""
        if self._settings.calls_per_transaction is None:
            return rng.between(2, 12)
        return rng.between(2, max(2, 2 * (self._calls_owed + self._settings.calls_per_transaction) - 2))

    def _recipient(self, rng: Rng, kind: str, sender: str, nonce: int) -> str:
        if kind == CREATE:
            return self._address("created", sender, nonce)
        if kind == CALL_TREE:
            return rng.pick(self._contracts)
        if rng.chance(20):
            return self._address("newcomer", sender, nonce)
        return rng.pick(self._people)

    def _apply(self, transaction: EthereumTransaction) -> None:
        for address, amount in transaction.moves():
            self._balances[address] += amount


def _payout(place: tuple[int, int, int], miner: str, amount: int) -> EthereumTransaction:
    """A pseudo-row that pays the miner of the block, before that is known, or of an uncle."""
    height, time, position = place
    return EthereumTransaction(
        block_id=height,
        time=time,
        position=position,
        failed=False,
        type=SYNTHETIC,
        recipient=miner,
        call_count=1,
        value=amount,
    )
