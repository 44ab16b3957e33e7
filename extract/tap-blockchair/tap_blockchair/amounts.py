"""How great an amount of a chain can be, in base units."""

from __future__ import annotations

# The most that a transaction may move: MAX_MONEY in the source code of each chain's node. Dogecoin mints without end
# and has changed its bound; this one is more than it can have minted by 2180. Ethereum computes in 256 bits.
_MOST = {
    "bitcoin": 21 * 10**14,
    "bitcoin-cash": 21 * 10**14,
    "bitcoin-sv": 21 * 10**14,
    "ecash": 21 * 10**14,
    "dash": 21 * 10**14,
    "zcash": 21 * 10**14,
    "litecoin": 84 * 10**14,
    "groestlcoin": 105 * 10**14,
    "dogecoin": 10**20,
    "ethereum": 2**256 - 1,
}
# Transactions that a block has at most, for its totals: coins may move more than once in it.
_IN_A_BLOCK = 10**9
_TOTALS = frozenset({"input_total", "output_total"})
# How Blockchair counts shielded amounts is not on record, so nothing is said of these columns' signs.
_OF_SHIELDED = frozenset({"fee", "fee_total", "input_total", "output_total", "reward"})


def most(chain: str, table: str, column: str) -> int:
    """Give the greatest amount that a column can hold.

    Args:
        chain: Blockchair's path name of the chain.
        table: The table.
        column: One of its columns that hold amounts.

    Returns:
        The amount in the chain's base units.
    """
    return _MOST[chain] * (_IN_A_BLOCK if table == "blocks" and column in _TOTALS else 1)


def may_be_negative(chain: str, column: str) -> bool:
    """Whether amounts below 0 are no fault, although other chains have none in this column.

    Args:
        chain: Blockchair's path name of the chain.
        column: A column that holds amounts.
    """
    return chain == "zcash" and column in _OF_SHIELDED
