"""Numbers as a person reads them."""

import datetime as dt
from decimal import Decimal

import pytest

from dashboard.units import exact, short


@pytest.mark.parametrize(
    ("kind", "value", "whole", "brief"),
    [
        ("usd", 91163.10782150635, "$91,163.10782150635", "$91,163.11"),
        ("usd", Decimal("1805829764626.2828"), "$1,805,829,764,626.2828", "$1.806 T"),
        ("usd", Decimal("-2500000.5000"), "$-2,500,000.5", "-$2.5 M"),
        ("usd", 0.00805875, "$0.00805875", "$0.008059"),
        ("usd", 1e-12, "$0.000000000001", "$1e-12"),
        ("usd", 0.0, "$0", "$0"),
        ("count", 999999, "999,999", "999,999"),
        ("count", Decimal(2307), "2,307", "2,307"),
        ("count", 1000000, "1,000,000", "1 M"),
        ("count", 381.2857142857143, "381.2857142857143", "381.29"),
        ("rows", None, "none", "none"),
        ("until", None, "no day", "no day"),
        ("usd", None, "unknown", "unknown"),
        ("ratio", -0.07254, "-7.25%", "-7.25%"),
        ("ratio", 0.0, "0.00%", "0.00%"),
        ("hashes", 7.123e20, "712,300,000,000,000,000,000 H/s", "712.3 EH/s"),
        ("base", "11520373529854545437", "11520373529854545437", "11520373529854545437"),
        ("day", dt.date(2025, 1, 31), "2025-01-31", "2025-01-31"),
        ("text", True, "yes", "yes"),
    ],
)
def test_a_number_in_whole_and_in_brief(kind: str, value: object, whole: str, brief: str) -> None:
    assert (exact(kind, value), short(kind, value)) == (whole, brief)


def test_no_digit_of_a_large_amount_is_lost() -> None:
    assert exact("coins", Decimal("123456789012345678901234567890.123456789012345678")) == (
        "123,456,789,012,345,678,901,234,567,890.123456789012345678"
    )
