"""How great an amount of a chain can be, in base units."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_blockchair.chains import Chain

# Transactions that a block has at most, for its totals: coins may move more than once in it.
_IN_A_BLOCK = 10**9
_TOTALS = frozenset({"input_total", "output_total"})
_OF_SHIELDED = frozenset({"fee", "fee_total", "input_total", "output_total", "reward"})


def most(chain: Chain, table: str, column: str) -> int:
    """Give the greatest amount that a column can hold.

    Args:
        chain: The chain.
        table: The table.
        column: One of its columns that hold amounts.

    Returns:
        The amount in the chain's base units.
    """
    return chain.most * (_IN_A_BLOCK if table == "blocks" and column in _TOTALS else 1)


def may_be_negative(chain: Chain, column: str) -> bool:
    """Whether amounts below 0 are no fault, although other chains have none in this column.

    Args:
        chain: The chain.
        column: A column that holds amounts.
    """
    return chain.is_shielded and column in _OF_SHIELDED
