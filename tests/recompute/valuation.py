"""fct_valuation_daily and fct_supply_age_daily, from the definitions in `_metrics.md` and `_flags.md`."""

from datetime import date, timedelta
from fractions import Fraction

from recompute.coins import Coins, Lot
from recompute.compare import Rows, figure
from recompute.days import Chain
from recompute.exact import ratio, root, rounded, total
from recompute.raw import Input, Raw, day_of

# A figure under its plain name may lack prices for a hundredth of its value.
TOLERATED = Fraction(99, 100)
YEAR_DAYS = 365
# Days by date from which on coins are a long-term holder's, and seconds from which on they are not young.
LONG_TERM_DAYS = 155
HOUR_SECONDS = 3600
# Name, days since creation at least, and at most.
AGE_BANDS = (
    ("under 1 day", 0, 0),
    ("1 day to 1 week", 1, 6),
    ("1 week to 1 month", 7, 29),
    ("1 to 3 months", 30, 89),
    ("3 to 6 months", 90, 179),
    ("6 to 12 months", 180, 364),
    ("1 to 2 years", 365, 729),
    ("2 to 3 years", 730, 1094),
    ("3 to 5 years", 1095, 1824),
    ("5 to 7 years", 1825, 2554),
    ("7 to 10 years", 2555, 3649),
    ("10 years and more", 3650, None),
)

# What a band's row repeats of its day.
OF_THE_DAY = ("price_status", "coverage_ratio", "is_partial", "is_final", "has_all_blocks", "has_all_outputs")

# What needs a year of whole days, which this world does not have.
OF_A_YEAR = ("yearly_issuance_base", "yearly_issuance_rate", "stock_to_flow")

Row = dict[str, object]
Figure = Fraction | int | None


def _known_enough(known: Fraction | None, missing: Fraction | None) -> tuple[Fraction | None, bool]:
    """The published coverage, and whether the exact one is within tolerance."""
    if known is None or missing is None or known + missing == 0:
        return None, False
    coverage = ratio(known, known + missing)
    return coverage, coverage is not None and coverage >= TOLERATED


class Valuation:
    """The days of a chain, each after those before it."""

    def __init__(self, raw: Raw, chain: Chain) -> None:
        self.chain = chain
        self.coins = Coins(raw, chain) if chain.is_utxo else None
        self.snapshots: dict[date, int] = {}
        for observed_at, supply in sorted(raw.supplies[chain.name]):
            self.snapshots[day_of(observed_at)] = supply

    def issued(self, day: date) -> int | None:
        """Newly issued coins of the day, those of uncles included."""
        blocks = self.chain.blocks[day]
        uncles = 0 if self.chain.is_utxo else total(block.uncle_generation for block in blocks)
        return None if uncles is None else sum(block.generation for block in blocks) + uncles

    def revenue(self, day: date) -> int | None:
        """What miners received for the day's blocks."""
        blocks = self.chain.blocks[day]
        uncles = 0 if self.chain.is_utxo else total(block.uncle_generation for block in blocks)
        return None if uncles is None else sum(block.reward for block in blocks) + uncles

    def supply(self, day: date) -> tuple[int | None, str]:
        """Coins issued up to the end of the day, and how that is known; Ethereum's began with coins of no block."""
        if self.chain.is_utxo and self.chain.is_whole_until(day):
            issued = total(self.issued(found) for found in self.chain.days if found <= day)
            if issued is not None:
                return issued, "generation"
        if day in self.snapshots:
            return self.snapshots[day], "snapshot"
        return None, "unknown"

    def thermo_cap(self, day: date) -> Row:
        """Miners' revenue since the first block."""
        names = ("thermo_cap_usd", "thermo_cap_known_usd", "thermo_cap_coverage_ratio")
        if self.coins is None or not self.chain.is_whole_until(day):
            return dict.fromkeys(names)
        known, missing, is_any = Fraction(0), Fraction(0), False
        for found in self.chain.days:
            revenue, nearest = self.chain.native(self.revenue(found)), self.coins.nearest_close(found)
            if found > day or revenue is None or nearest is None:
                continue
            if found in self.chain.closes:
                known, is_any = known + revenue * nearest, True
            else:
                missing += revenue * nearest
        coverage, is_enough = _known_enough(known, missing)
        published = rounded(known) if is_any else None
        return dict(zip(names, (published if is_enough else None, published, coverage), strict=True))

    def spent(self, day: date) -> Row:
        """Figures of the day's spent outputs."""
        chain, inputs = self.chain, self.chain.inputs.get(day, [])
        close = chain.price(day)
        is_whole = chain.has_all_outputs(day)
        priced = [] if close is None else [found for found in inputs if found.created_day in chain.closes]
        value = sum(found.value for found in inputs)
        priced_value = sum(found.value for found in priced)
        known = self.gains(priced, close)
        coverage = ratio(priced_value, value) if is_whole else None
        is_enough = coverage is not None and coverage >= TOLERATED
        row: Row = {
            **self.adjusted(inputs, priced, day),
            **{
                f"revived_supply_{years}y_base": sum(
                    found.value for found in inputs if (day - found.created_day).days >= years * YEAR_DAYS
                )
                if is_whole
                else None
                for years in (2, 5)
            },
            "spent_output_count": len(inputs) if is_whole else None,
            "spent_base": value if is_whole else None,
            "priced_spent_base": priced_value if inputs else None,
            "revived_supply_1y_base": sum(f.value for f in inputs if (day - f.created_day).days >= YEAR_DAYS)
            if is_whole
            else None,
            "sopr_coverage_ratio": coverage,
        }
        for name, sum_known in known.items():
            row[f"{name}_known_usd"] = sum_known
            row[f"{name}_usd"] = sum_known if is_enough else None
        row["sopr"] = ratio(figure(row, "spent_value_usd"), figure(row, "spent_cost_usd"))
        row["sopr_known"] = ratio(figure(row, "spent_value_known_usd"), figure(row, "spent_cost_known_usd"))
        return row | self.coin_days(inputs if is_whole else None)

    def adjusted(self, inputs: list[Input], priced: list[Input], day: date) -> Row:
        """The same without outputs that were spent within an hour."""
        old = [found for found in inputs if found.lifespan >= HOUR_SECONDS]
        old_priced = [found for found in priced if found.lifespan >= HOUR_SECONDS]
        value = sum(found.value for found in old) if self.chain.has_all_outputs(day) else None
        priced_value = sum(found.value for found in old_priced)
        known = self.gains(old_priced, self.chain.price(day))
        coverage = ratio(priced_value, value)
        is_enough = coverage is not None and coverage >= TOLERATED
        row: Row = {
            "adjusted_spent_base": value,
            "priced_adjusted_spent_base": priced_value if inputs else None,
            "adjusted_sopr_coverage_ratio": coverage,
            "adjusted_sopr_known": ratio(known["spent_value"], known["spent_cost"]),
            "adjusted_sopr": ratio(known["spent_value"], known["spent_cost"]) if is_enough else None,
        }
        for name in ("spent_value", "spent_cost"):
            row[f"adjusted_{name}_known_usd"] = known[name]
            row[f"adjusted_{name}_usd"] = known[name] if is_enough else None
        return row

    def gains(self, priced: list[Input], close: Fraction | None) -> dict[str, Figure]:
        """Value now, cost then, and how much of the difference is profit and how much loss."""
        names = ("spent_value", "spent_cost", "realised_profit", "realised_loss")
        if not priced or close is None:
            return dict.fromkeys(names)
        value = cost = profit = loss = Fraction(0)
        for found in priced:
            amount = Fraction(found.value, self.chain.base_units)
            then = self.chain.closes[found.created_day].price
            value, cost = value + amount * close, cost + amount * then
            gain = amount * (close - then)
            profit, loss = profit + max(gain, Fraction(0)), loss - min(gain, Fraction(0))
        return dict(zip(names, map(rounded, (value, cost, profit, loss)), strict=True))

    def coin_days(self, inputs: list[Input] | None) -> Row:
        """Coins times days that ended; unknown unless all inputs of the day are there."""
        units = self.chain.base_units
        if inputs is None:
            return {"full_coin_days_destroyed": None, "coin_days_destroyed": None, "dormancy_days": None}
        full = sum(Fraction(found.value, units) * max(found.lifespan // 86_400, 0) for found in inputs)
        exact = sum(Fraction(found.value, units) * Fraction(found.lifespan, 86_400) for found in inputs)
        published = rounded(exact, 18)
        spent = Fraction(sum(found.value for found in inputs), units)
        return {
            "full_coin_days_destroyed": rounded(full, 18),
            "coin_days_destroyed": published,
            "dormancy_days": ratio(published, spent),
        }

    def alive(self, day: date, lots: list[Lot]) -> Row:
        """Figures of the coins alive, whole history or not."""
        assert self.coins is not None
        chain, close, units = self.chain, self.chain.price(day), self.chain.base_units
        priced = [lot for lot in lots if lot.created in chain.closes]
        counted, of_priced = sum(lot.value for lot in lots), sum(lot.value for lot in priced)
        cost = sum((Fraction(lot.value, units) * chain.closes[lot.created].price for lot in priced), Fraction(0))
        missing = Fraction(0)
        for lot in lots:
            nearest = self.coins.nearest_close(lot.created)
            if lot.created not in chain.closes and nearest is not None:
                missing += Fraction(lot.value, units) * nearest
        coverage, is_enough = _known_enough(cost, missing)
        known = rounded(cost) if priced else None
        worth = chain.dollars(of_priced, day)
        priced_ratio = ratio(of_priced, counted)
        enough_coins = priced_ratio is not None and priced_ratio >= TOLERATED and close is not None
        profit = None if close is None else sum(lot.value for lot in priced if chain.closes[lot.created].price < close)
        loss = None if close is None else sum(lot.value for lot in priced if chain.closes[lot.created].price > close)
        age = sum(lot.value * (day - lot.created).days for lot in lots)
        young = sum(lot.value for lot in lots if (day - lot.created).days < YEAR_DAYS)
        old = sum(lot.value for lot in lots if (day - lot.created).days >= LONG_TERM_DAYS)
        return {
            "counted_supply_base": counted,
            "long_term_supply_base": old,
            "long_term_supply_share": ratio(old, counted),
            "unspent_output_count": sum(lot.count for lot in lots),
            "realised_price_known_usd": ratio(known, Fraction(of_priced, units)),
            "priced_value": worth,
            "active_supply_1y_base": young,
            "active_supply_1y_share": ratio(young, counted),
            "priced_supply_base": of_priced,
            "priced_ratio": priced_ratio,
            "realised_cap_known_usd": known,
            "realised_cap_coverage_ratio": coverage,
            "realised_cap_usd": known if is_enough else None,
            "mvrv_known": ratio(worth, known),
            "nupl_known": None if worth is None or known is None else ratio(worth - known, worth),
            "in_profit_base": profit if enough_coins else None,
            "in_profit_known_base": profit,
            "in_profit_ratio": ratio(profit, of_priced) if enough_coins else None,
            "in_profit_known_ratio": ratio(profit, of_priced),
            "in_loss_base": loss if enough_coins else None,
            "in_loss_known_base": loss,
            "mean_coin_age_days": ratio(age, counted),
        }

    def lived(self, day: date) -> Fraction | None:
        """Liveliness: coin-days destroyed by coin-days created, by date and since the first block."""
        assert self.coins is not None
        destroyed = gathered = 0
        for coin in self.coins.all:
            if not coin.counts or coin.created > day:
                continue
            if coin.spent is not None and coin.spent <= day:
                destroyed += coin.value * (coin.spent - coin.created).days
            else:
                gathered += coin.value * (day - coin.created).days
        return ratio(destroyed, destroyed + gathered)

    def row(self, day: date) -> Row:
        """A row of fct_valuation_daily."""
        chain, close = self.chain, self.chain.closes.get(day)
        supply, source = self.supply(day)
        market_cap = chain.dollars(supply, day)
        row: Row = {
            "close_price_usd": chain.price(day),
            "price_status": chain.price_status(day),
            "coingecko_market_cap_usd": close.market_cap if close else None,
            "supply_base": supply,
            "supply_source": source,
            "market_cap_usd": market_cap,
            "issuance_usd": chain.dollars(self.issued(day), day),
            **dict.fromkeys(("puell_multiple", *OF_A_YEAR)),
            "is_final": chain.is_final(day),
            "has_all_blocks": chain.has_all_blocks(day),
            "has_all_outputs": chain.has_all_outputs(day),
            **self.thermo_cap(day),
        }
        if self.coins is None or day > self.coins.last_day:
            # nobody knows what was created and spent since
            return row | {"known_supply_base": None, "coverage_ratio": None, "is_partial": True}
        known = sum(coin.value for coin in self.coins.alive(day))
        is_partial = source != "generation" or known != supply
        row |= {
            "known_supply_base": known,
            "coverage_ratio": ratio(known, supply),
            "is_partial": is_partial,
            **self.spent(day),
            **self.alive(day, self.coins.lots(day)),
            "liveliness": None if is_partial else self.lived(day),
        }
        if is_partial:
            row["realised_cap_usd"] = None
        realised = figure(row, "realised_cap_usd")
        row["mvrv"] = ratio(market_cap, realised)
        row["realised_price_usd"] = ratio(realised, chain.native(figure(row, "counted_supply_base")))
        row["nupl"] = None if market_cap is None or realised is None else ratio(market_cap - realised, market_cap)
        row["rctc"] = ratio(realised, figure(row, "thermo_cap_usd"))
        row["rctc_known"] = ratio(figure(row, "realised_cap_known_usd"), figure(row, "thermo_cap_known_usd"))
        return row


def valuation(raw: Raw, chain: Chain) -> Rows:
    """The rows of a chain in fct_valuation_daily."""
    days = Valuation(raw, chain)
    assert chain.days[-1] - chain.days[0] < timedelta(days=YEAR_DAYS - 1), "puell_multiple would have its window"
    rows = {(chain.name, day): days.row(day) for day in chain.days}
    for number, row in enumerate(rows.values(), 1):
        row.update(z_scores(days, dict(zip(chain.days[:number], rows.values(), strict=False))))
    for row in rows.values():
        row.pop("priced_value", None)
    return rows


def z_scores(days: Valuation, so_far: dict[date, Row]) -> Row:
    """Market value less realised value by the deviation of the market value up to the last of the days."""
    row = so_far[max(so_far)]
    caps = [figure(of, "market_cap_usd") for of in so_far.values()]
    coverage, is_enough = None, False
    if row["supply_source"] == "generation":
        missing = Fraction(0)
        for day, of in so_far.items():
            nearest = None if days.coins is None else days.coins.nearest_close(day)
            supply = days.chain.native(figure(of, "supply_base"))
            if of["price_status"] == "missing" and nearest is not None and supply is not None:
                missing += supply * nearest
        known = sum((Fraction(cap) for cap in caps if cap is not None), Fraction(0))
        coverage, is_enough = _known_enough(known, missing)
    of_known = [figure(of, "priced_value") if "priced_value" in of else None for of in so_far.values()]
    return {
        "mvrv_z_score": _z_score(caps, row.get("realised_cap_usd")) if is_enough else None,
        "mvrv_z_score_known": _z_score(of_known, row.get("realised_cap_known_usd")),
        "mvrv_z_score_coverage_ratio": coverage,
    }


def _z_score(values: list[int | Fraction | None], cost: object) -> Fraction | None:
    """The last value less its cost, by the sample standard deviation of those that are known."""
    given, last = [Fraction(value) for value in values if value is not None], values[-1]
    if last is None or not isinstance(cost, (int, Fraction)) or len(given) < 2:
        return None
    mean = sum(given) / len(given)
    variance = sum((value - mean) ** 2 for value in given) / (len(given) - 1)
    return rounded((last - cost) / root(variance)) if variance else None


def supply_age(raw: Raw, chain: Chain, valued: Rows) -> Rows:
    """The rows of a chain in fct_supply_age_daily."""
    coins, rows = Coins(raw, chain), Rows()
    for day in (found for found in chain.days if found <= coins.last_day):
        lots, of_day, close = coins.lots(day), valued[chain.name, day], chain.price(day)
        everything = sum(lot.value for lot in lots)
        for order, (band, at_least, at_most) in enumerate(AGE_BANDS, 1):
            of_band = [
                lot
                for lot in lots
                if at_least <= (day - lot.created).days and (at_most is None or (day - lot.created).days <= at_most)
            ]
            priced = [lot for lot in of_band if lot.created in chain.closes]
            cost = sum(Fraction(lot.value, chain.base_units) * chain.closes[lot.created].price for lot in priced)
            profit = [lot.value for lot in priced if close is not None and chain.closes[lot.created].price < close]
            loss = [lot.value for lot in priced if close is not None and chain.closes[lot.created].price > close]
            value = sum(lot.value for lot in of_band)
            rows[chain.name, day, band] = {
                "band_order": order,
                "counted_supply_base": value,
                "supply_share": ratio(value, everything),
                "output_count": sum(lot.count for lot in of_band),
                "priced_supply_base": sum(lot.value for lot in priced),
                "realised_value_usd": rounded(cost) if priced else None,
                "in_profit_base": None if close is None else sum(profit),
                "in_loss_base": None if close is None else sum(loss),
                **{column: of_day[column] for column in OF_THE_DAY},
            }
    return rows
