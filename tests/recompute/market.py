"""Prices, returns, risk and pairs of coins, from the definitions in `_metrics_market.md`."""

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction

from recompute.compare import Rows
from recompute.days import DAY, Close
from recompute.exact import Number, logarithm, mean, ratio, root, rounded

DIGITS, PAIR_DIGITS = 18, 12
RISK_WINDOWS = (30, 60, 90, 180, 365)
PAIR_WINDOWS = (30, 90)
DAYS_OF_A_YEAR = 365

Closes = dict[date, Close]
Returns = dict[date, Fraction]


def log_returns(closes: Closes) -> Returns:
    """Logarithms of a close by the one of the day before, as published."""
    found: Returns = {}
    for day, close in closes.items():
        if day - DAY in closes:
            published = rounded(logarithm(close.price / closes[day - DAY].price), DIGITS)
            assert published is not None
            found[day] = published
    return found


def window_of(day: date, days: int) -> list[date]:
    """So many days that end with this one."""
    return [day - timedelta(days=back) for back in range(days - 1, -1, -1)]


def prices(coin: str, closes: Closes, returns: Returns) -> Rows:
    """The rows of a coin in fct_market_prices_daily: each day from its first close to its last."""
    rows: Rows = {}
    for back in range((max(closes) - min(closes)).days + 1):
        day = max(closes) - timedelta(days=back)
        close, before = closes.get(day), closes.get(day - DAY)
        rows[coin, day] = {
            "open_price_usd": before.price if close and before else None,
            "close_price_usd": close.price if close else None,
            "coingecko_market_cap_usd": close.market_cap if close else None,
            "volume_24h_usd": close.volume if close else None,
            "return_ratio": rounded(close.price / before.price - 1, DIGITS) if close and before else None,
            "log_return": returns.get(day),
            "price_status": "priced" if close else "missing",
        }
    return rows


def covariance(one: Sequence[Number], other: Sequence[Number]) -> Fraction:
    """Of a sample, without its divisor, which cancels where it is used."""
    means = mean(one), mean(other)
    assert means[0] is not None
    assert means[1] is not None
    return sum(((a - means[0]) * (b - means[1]) for a, b in zip(one, other, strict=True)), Fraction(0))


def deepest_fall(found: Sequence[Fraction]) -> Fraction:
    """From a close to a later one, as a ratio."""
    highest, deepest = found[0], Fraction(0)
    for price in found:
        highest = max(highest, price)
        deepest = min(deepest, price / highest - 1)
    return deepest


def risk(coin: str, closes: Closes, returns: Returns) -> Rows:
    """The rows of a coin in fct_market_risk_daily."""
    rows: Rows = {}
    highest = Fraction(0)
    for day in sorted(closes):
        price = closes[day].price
        highest = max(highest, price)
        for days in RISK_WINDOWS:
            window = window_of(day, days)
            given = [closes[found].price for found in window if found in closes]
            moved = [returns[found] for found in window if found in returns]
            spread = root(covariance(moved, moved) / (days - 1)) if len(moved) == days else None
            base = closes.get(day - timedelta(days=days))
            rows[coin, day, days] = {
                "close_observation_count": len(given),
                "return_observation_count": len(moved),
                "volatility": rounded(spread, DIGITS),
                "volatility_annualised": None
                if spread is None
                else rounded(spread * root(Fraction(DAYS_OF_A_YEAR)), DIGITS),
                "drawdown_ratio": rounded(price / highest - 1, DIGITS),
                "max_drawdown_ratio": rounded(deepest_fall(given), DIGITS) if len(given) == days else None,
                "roi_ratio": rounded(price / base.price - 1, DIGITS) if base else None,
            }
    return rows


def pairs(returns: dict[str, Returns]) -> Rows:
    """The rows of fct_asset_pair_daily: ordered pairs of different coins."""
    rows: Rows = {}
    for coin, own in returns.items():
        for other, bench in returns.items():
            if coin == other:
                continue
            common = sorted(own.keys() & bench.keys())
            for day in common:
                for days in PAIR_WINDOWS:
                    window = [found for found in common if day - timedelta(days=days) < found <= day]
                    x, y = [own[found] for found in window], [bench[found] for found in window]
                    together, spread, market = covariance(x, y), covariance(x, x), covariance(y, y)
                    correlation = together / root(spread * market) if spread and market else None
                    given = {
                        "return_correlation": rounded(correlation, PAIR_DIGITS),
                        "return_beta": ratio(together, market, PAIR_DIGITS),
                    }
                    rows[coin, other, day, days] = {
                        "observation_count": len(window),
                        **{name: value if len(window) == days else None for name, value in given.items()},
                        **{f"{name}_known": value for name, value in given.items()},
                    }
    return rows
