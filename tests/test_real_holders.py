"""The published day of 9 January 2009 in the marts of holders and of what they spend, worked out by hand."""

from checkout import Checkout
from real_day import AGE_BANDS, COINS_50, DAY, SPENT_DAY, UNSPENT, flags_of
from test_real_input import loaded
from test_real_marts import expect, rows

# The module's warehouse is the one that the real input fills.
__all__ = ["loaded"]

# The first input spends a coin of three days before, the six others coins of the day itself.
BANDS_SPENT = {1, 2}
# Of a day of which nothing is spent, or of a part of what is.
NOTHING_SPENT = dict.fromkeys(
    (
        *("spent_output_count", "spent_base", "priced_spent_base"),
        *("spent_value_usd", "spent_value_known_usd", "spent_cost_usd", "spent_cost_known_usd"),
    ),
    0,
) | {"spent_coverage_ratio": 1}


def test_spent_outputs_by_age(loaded: Checkout) -> None:
    """Nothing is spent on the first day; on the fourth coins of two ages, without a price."""
    expected: list[dict[str, object]] = []
    for day in UNSPENT:
        for order, band in enumerate(AGE_BANDS, 1):
            row = flags_of(day) | {"age_band": band, "band_order": order}
            if day == DAY:
                row |= NOTHING_SPENT
            elif day == SPENT_DAY and order in BANDS_SPENT:
                row |= {"priced_spent_base": 0}
            expected.append(row)
    expect(rows(loaded, "fct_spent_age_daily", "block_date, band_order"), expected)


def test_holders(loaded: Checkout) -> None:
    expected: list[dict[str, object]] = []
    for day, coins in UNSPENT.items():
        for term in ("long-term", "short-term"):
            held = coins if term == "short-term" else 0
            row = flags_of(day) | {
                "holder_term": term,
                "counted_supply_base": held * COINS_50,
                "supply_share": 1 if held else 0,
                "output_count": held,
                "priced_supply_base": 0,
                "realised_cap_coverage_ratio": None if held else 1,
                "price_status": "missing",
                "is_partial": True,
            }
            if day == DAY:
                row |= NOTHING_SPENT
            elif day == SPENT_DAY and held:
                row |= {"priced_spent_base": 0}
            expected.append(row)
    expect(rows(loaded, "fct_holders_daily", "block_date, holder_term"), expected)


def test_unspent_outputs_by_script_type_and_size(loaded: Checkout) -> None:
    """All are of one kind, whose dust limit is not known."""
    kind = {"script_type": "pubkey", "output_size_band": "10 to 100 coins", "band_order": 8, "is_partial": True}
    expected = [
        flags_of(day) | kind | {"output_count": count, "counted_supply_base": count * COINS_50}
        for day, count in UNSPENT.items()
    ]
    expect(rows(loaded, "fct_unspent_outputs_daily", "block_date"), expected)


def test_coins_without_a_price_are_in_no_band_of_prices(loaded: Checkout) -> None:
    """Of the days the first alone is whole."""
    expected = flags_of(DAY) | {
        "price_band": "unknown",
        "band_order": 1,
        "counted_supply_base": 14 * COINS_50,
        "supply_share": 1,
        "output_count": 14,
        "is_partial": True,
    }
    expect(rows(loaded, "fct_realised_price_distribution", "band_order"), [expected])
