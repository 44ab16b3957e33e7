"""Amounts as nodes write them, decimal coins, in base units; none of them is ever a float."""

from __future__ import annotations

from decimal import Decimal

Amount = Decimal
"""What JSON numbers of coins are decoded to, from their text."""

_BASE_UNITS = 10**8


def base_units(coins: Decimal) -> int:
    """Give an amount of coins in base units.

    Raises:
        ValueError: It has more than eight decimals.
    """
    whole = coins * _BASE_UNITS
    units = int(whole)
    if units != whole:
        raise ValueError(f"{coins} coins are no whole number of base units")
    return units
