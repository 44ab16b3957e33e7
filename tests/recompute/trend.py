"""fct_market_trend_daily, from the definitions in `_metrics_trend.md`."""

from datetime import date, timedelta
from fractions import Fraction

from recompute.compare import Rows
from recompute.days import AMOUNT_DIGITS, DAY, PRICE_DIGITS
from recompute.exact import ratio, rounded
from recompute.market import DIGITS, Closes, window_of
from recompute.raw import Snapshot, day_of

AVERAGES = (50, 100, 200)
MAYER_DAYS = 200


def trend(coin: str, closes: Closes, snapshots: list[Snapshot]) -> Rows:
    """The rows of a coin: each day from its first close to its last, and those of its snapshots."""
    last_of = {
        day_of(snapshot.observed_at): snapshot for snapshot in sorted(snapshots, key=lambda one: one.observed_at)
    }
    charted = {min(closes) + timedelta(days=ahead) for ahead in range((max(closes) - min(closes)).days + 1)}
    rows: Rows = {}
    for day in sorted(charted | last_of.keys()):
        close, given = closes.get(day), last_of.get(day)
        sums = {days: _sum(closes, day, days) for days in AVERAGES}
        before = {found: one.price for found, one in closes.items() if found < day + DAY}
        highest = max(before.values(), default=None)
        rows[coin, day] = {
            "close_price_usd": close.price if close else None,
            "price_status": "priced" if close else "missing",
            **{f"close_mean_{days}d_usd": ratio(sums[days], days, PRICE_DIGITS) for days in AVERAGES},
            "mayer_multiple": ratio(MAYER_DAYS * close.price if close else None, sums[MAYER_DAYS], DIGITS),
            "all_time_high_usd": highest,
            "all_time_high_date": min((found for found, price in before.items() if price == highest), default=None),
            "observed_at": given.observed_at if given else None,
            "circulating_supply_native": rounded(given.circulating, AMOUNT_DIGITS) if given else None,
            "total_supply_native": rounded(given.total, AMOUNT_DIGITS) if given else None,
            "max_supply_native": rounded(given.most, AMOUNT_DIGITS) if given else None,
            "fully_diluted_value_usd": rounded(given.fully_diluted, AMOUNT_DIGITS) if given else None,
        }
    return rows


def _sum(closes: Closes, day: date, days: int) -> Fraction | None:
    """The closes of a window; unknown unless every day has one."""
    window = window_of(day, days)
    if not all(found in closes for found in window):
        return None
    return sum((closes[found].price for found in window), Fraction(0))
