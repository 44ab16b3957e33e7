"""Marts of holders, of what they spend and of what coins cost, from the definitions in `_metrics_holders.md`."""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from recompute.coins import Coins, Lot
from recompute.compare import Rows
from recompute.days import Chain
from recompute.exact import ratio, rounded
from recompute.raw import Input, Raw
from recompute.valuation import AGE_BANDS, LONG_TERM_DAYS, OF_THE_DAY, TOLERATED, Row

FLAGS = ("is_final", "has_all_blocks", "has_all_outputs")


def _spent(chain: Chain, day: date, inputs: Sequence[Input]) -> Row:
    """What a part of the day's spent outputs was worth, and what it cost."""
    is_whole, close = chain.has_all_outputs(day), chain.price(day)
    priced = [] if close is None else [found for found in inputs if found.created_day in chain.closes]
    amounts = [Fraction(found.value, chain.base_units) for found in priced]
    costs = [chain.closes[found.created_day].price for found in priced]
    value = rounded(sum(amounts, Fraction(0)) * close) if priced and close is not None else None
    cost = rounded(sum(amount * of for amount, of in zip(amounts, costs, strict=True))) if priced else None
    spent, priced_spent = sum(found.value for found in inputs), sum(found.value for found in priced)
    coverage = ratio(priced_spent, spent) if is_whole else None
    if is_whole and spent == 0:
        value, cost, coverage = Fraction(0), Fraction(0), Fraction(1)
    is_enough = coverage is not None and coverage >= TOLERATED
    return {
        "spent_output_count": len(inputs) if is_whole else None,
        "spent_base": spent if is_whole else None,
        "priced_spent_base": priced_spent if inputs or is_whole else None,
        "spent_value_known_usd": value,
        "spent_value_usd": value if is_enough else None,
        "spent_cost_known_usd": cost,
        "spent_cost_usd": cost if is_enough else None,
        "spent_coverage_ratio": coverage,
    }


def spent_ages(chain: Chain, valued: Rows) -> Rows:
    """The rows of a chain in fct_spent_age_daily."""
    rows = Rows()
    for day in chain.days:
        inputs, of_day = chain.inputs.get(day, []), valued[chain.name, day]
        everything = sum(found.value for found in inputs) if chain.has_all_outputs(day) else None
        for order, (band, at_least, at_most) in enumerate(AGE_BANDS, 1):
            of_band = [
                found
                for found in inputs
                if at_least <= (day - found.created_day).days
                and (at_most is None or (day - found.created_day).days <= at_most)
            ]
            row = _spent(chain, day, of_band)
            share = ratio(sum(found.value for found in of_band), everything)
            flags = {flag: of_day[flag] for flag in FLAGS}
            rows[chain.name, day, band] = row | flags | {"band_order": order, "spent_share": share}
    return rows


def _alive(coins: Coins, chain: Chain, day: date, lots: Sequence[Lot], *, is_partial: bool) -> Row:
    """What coins of a term cost, and what they are worth."""
    units = chain.base_units
    priced = [lot for lot in lots if lot.created in chain.closes]
    cost = sum((Fraction(lot.value, units) * chain.closes[lot.created].price for lot in priced), Fraction(0))
    missing = Fraction(0)
    for lot in lots:
        nearest = coins.nearest_close(lot.created)
        if lot.created not in chain.closes and nearest is not None:
            missing += Fraction(lot.value, units) * nearest
    counted, of_priced = sum(lot.value for lot in lots), sum(lot.value for lot in priced)
    known = rounded(cost) if priced else None
    coverage = ratio(cost, cost + missing) if counted else Fraction(1)
    is_enough = not is_partial and coverage is not None and coverage >= TOLERATED
    realised = known if is_enough else None
    return {
        "counted_supply_base": counted,
        "output_count": sum(lot.count for lot in lots),
        "priced_supply_base": of_priced,
        "realised_cap_usd": realised,
        "realised_cap_known_usd": known,
        "realised_cap_coverage_ratio": coverage,
        "mvrv": ratio(chain.dollars(counted, day), realised),
        "mvrv_known": ratio(chain.dollars(of_priced, day), known),
    }


def holders(raw: Raw, chain: Chain, valued: Rows) -> Rows:
    """The rows of a chain in fct_holders_daily."""
    coins, rows = Coins(raw, chain), Rows()
    columns = tuple(_alive(coins, chain, chain.days[0], [], is_partial=True))
    for day in chain.days:
        of_day, inputs = valued[chain.name, day], chain.inputs.get(day, [])
        is_known = day <= coins.last_day
        lots = coins.lots(day) if is_known else []
        everything = sum(lot.value for lot in lots)
        for term in ("long-term", "short-term"):
            is_long = term == "long-term"
            of_term = [lot for lot in lots if ((day - lot.created).days >= LONG_TERM_DAYS) == is_long]
            spent = [found for found in inputs if ((day - found.created_day).days >= LONG_TERM_DAYS) == is_long]
            row = _spent(chain, day, spent)
            row["sopr"] = _ratio_of(row, "usd")
            row["sopr_known"] = _ratio_of(row, "known_usd")
            alive = (
                _alive(coins, chain, day, of_term, is_partial=bool(of_day["is_partial"]))
                if is_known
                else dict.fromkeys(columns)
            )
            share = ratio(sum(lot.value for lot in of_term), everything) if is_known else None
            flags = {column: of_day[column] for column in OF_THE_DAY}
            rows[chain.name, day, term] = row | alive | flags | {"supply_share": share}
    return rows


def _band(price: Fraction) -> tuple[Fraction, Fraction]:
    """From the price's first digit with zeros behind it up to the next digit."""
    step = Fraction(1)
    while price >= step * 10:
        step *= 10
    while price < step:
        step /= 10
    return price // step * step, (price // step + 1) * step


def price_distribution(raw: Raw, chain: Chain, valued: Rows) -> Rows:
    """The rows of a chain in fct_realised_price_distribution."""
    coins = Coins(raw, chain)
    day = max(day for day in chain.days if chain.is_final(day) and chain.has_all_outputs(day))
    bands: dict[tuple[Fraction, Fraction] | None, list[Lot]] = {}
    lots = [lot for lot in coins.lots(day) if lot.value]
    for lot in lots:
        band = _band(chain.closes[lot.created].price) if lot.created in chain.closes else None
        bands.setdefault(band, []).append(lot)
    rows = Rows()
    for order, band in enumerate(sorted(bands, key=lambda band: band or (Fraction(0), Fraction(0))), 1):
        value = sum(lot.value for lot in bands[band])
        cost = sum(Fraction(lot.value, chain.base_units) * coins.closes.get(lot.created, 0) for lot in bands[band])
        rows[chain.name, day, order] = {
            "min_price_usd": band[0] if band else None,
            "max_price_usd": band[1] if band else None,
            "counted_supply_base": value,
            "supply_share": ratio(value, sum(lot.value for lot in lots)),
            "output_count": sum(lot.count for lot in bands[band]),
            "realised_value_usd": rounded(cost) if band else None,
            **{column: valued[chain.name, day][column] for column in (*FLAGS, "is_partial")},
        }
    return rows


def _ratio_of(row: Row, kind: str) -> Fraction | None:
    """Value by cost, where both are known."""
    value, cost = row[f"spent_value_{kind}"], row[f"spent_cost_{kind}"]
    assert value is None or isinstance(value, Fraction)
    assert cost is None or isinstance(cost, Fraction)
    return ratio(value, cost)
