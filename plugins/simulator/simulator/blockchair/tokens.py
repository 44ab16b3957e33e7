"""ERC-20: tokens, and transfers made from a block's transactions whenever they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.blockchair.ethereum_model import CALL_TREE, CREATE, Token
from simulator.blockchair.rng import Rng, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.blockchair.ethereum_model import EthereumBlock, EthereumTransaction

FIRST_TRANSFER: Final = 1_500_000_000
"""Transfers are numbered over the whole chain; so many are older than the world."""
_NAMES: Final = (
    ("Harbour Dollar", "HUSD", 6),
    ("", "", 18),
    ("Ünïcödé 代币 🪙", "代币", 18),
    ("Back\\slash \\n \\N", "A\\B", 8),
    ("\"Quoted\", 'twice'; --", '"Q"', 0),
    ("  spaces  ", " S ", 18),
    ("NULL", "null", 18),
    ("<b>bold</b> & more", "B&W", 9),
    ("\u202eright to left\u202c", "RTL", 18),
    ("An unusually long name " * 6, "LONG" * 8, 255),
)
"""Name, symbol and decimals; anybody may call a token anything."""
_CONTROL: Final = ("Zero\x00 and\x01 bell\x07", "N\x00L", 18)
_COUNTS: Final = (1, 0, 2, 1, 3, 0, 1, 2)
_LARGEST: Final = 2**256 - 1
_HOLDERS: Final = 200


@dataclass(slots=True, kw_only=True)
class Transfer:
    """A transfer of tokens; `value` is up to 2^256 - 1, and nothing but `id` distinguishes two equal ones."""

    block_id: int
    id: int
    transaction_hash: str
    time: int
    token: Token
    sender: str
    recipient: str
    value: int


class TokenRegistry:
    """The tokens of a chain, in the order of their making."""

    def __init__(self, addresses: Sequence[str], place: tuple[int, int], *, first_id: int, control: bool) -> None:
        self.tokens: list[Token] = []
        self._first_id = first_id
        self._names = (*_NAMES, _CONTROL) if control else _NAMES
        height, time = place
        for number, address in enumerate(addresses):
            age = len(addresses) - number
            self._add(address, height - 7000 * age, time - 86_400 * age, fingerprint("old token", address).hex())

    def note(self, transaction: EthereumTransaction) -> None:
        """Enter the token that a transaction makes, if it makes one."""
        if transaction.type == CREATE and not transaction.failed and transaction.hash is not None:
            self._add(transaction.recipient, transaction.block_id, transaction.time, transaction.hash)

    def _add(self, address: str, height: int, time: int, transaction_hash: str) -> None:
        name, symbol, decimals = self._names[len(self.tokens) % len(self._names)]
        token = Token(
            address=address,
            id=self._first_id + len(self.tokens),
            time=time,
            name=name,
            symbol=symbol,
            decimals=decimals,
            creating_block_id=height,
            creating_transaction_hash=transaction_hash,
        )
        self.tokens.append(token)


def transfer_count(transaction: EthereumTransaction) -> int:
    """How many transfers a transaction makes: none unless it called a contract and did not fail."""
    if transaction.hash is None or transaction.failed or transaction.type != CALL_TREE:
        return 0
    return _COUNTS[int(transaction.hash[0], 16) % len(_COUNTS)]


def transfers_of(block: EthereumBlock) -> Iterable[Transfer]:
    """The transfers of a block, in order."""
    number = block.transfers_before
    for transaction in block.real:
        for transfer in _transfers(transaction, block.tokens):
            transfer.id = number
            number += 1
            yield transfer


def _transfers(transaction: EthereumTransaction, tokens: Sequence[Token]) -> Iterable[Transfer]:
    count = transfer_count(transaction)
    if not count or transaction.hash is None or transaction.sender is None:
        return
    # Two equal transfers within one transaction are legitimate, and not rare on the real chain.
    twice = int(transaction.hash[1], 16) % 3 == 0
    rng = Rng("erc-20", transaction.hash)
    for number in range(count):
        if not (twice and number == 1):
            token = rng.pick(tokens)
            recipient = fingerprint("holder", rng.below(_HOLDERS)).hex()[-40:]
            value = _LARGEST if rng.chance(5) else 0 if rng.chance(3) else rng.magnitude(0, 25)
        yield Transfer(
            block_id=transaction.block_id,
            id=-1,
            transaction_hash=transaction.hash,
            time=transaction.time,
            token=token,
            sender=transaction.sender,
            recipient=recipient,
            value=value,
        )
