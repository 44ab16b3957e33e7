"""Reading a folder of price exports, as CoinGecko offers them for download."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from simulator.coingecko.coins import COINS
from simulator.coingecko.currencies import QUOTED
from simulator.coingecko.series import ExportSeries, Point
from simulator.coingecko.times import to_ms
from simulator.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_COLUMNS: Final = ["snapped_at", "price", "market_cap", "total_volume"]
_NAME: Final = re.compile(r"(?P<symbol>[a-z0-9]+)-(?P<currency>[a-z]+)-[^/]*\.csv")
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")  # as JSON writes one, so that it is served as is


def read_exports(folder: Path) -> dict[tuple[str, str], ExportSeries]:
    """Read every export of a folder.

    Returns:
        The series by coin id and currency.

    Raises:
        SettingsError: No export is there, a name or a row cannot be read, or two files hold the same pair.
    """
    ids = {coin.symbol: coin.coin_id for coin in COINS}
    found: dict[tuple[str, str], ExportSeries] = {}
    for path in sorted(folder.glob("*.csv")):
        match = _NAME.fullmatch(path.name)
        coin_id = ids.get(match["symbol"]) if match else None
        if match is None or coin_id is None or match["currency"] not in QUOTED:
            raise SettingsError(
                f"prices_dir holds {path.name}, whose name does not begin with one of {', '.join(ids)} and a currency, "
                "as in eth-usd-max.2025-01-14.csv."
            )
        pair = (coin_id, match["currency"])
        if pair in found:
            raise SettingsError(f"prices_dir holds a second export of {' in '.join(pair)}, {path.name}; keep one.")
        found[pair] = ExportSeries(_points(path))
    if not found:
        raise SettingsError(f"prices_dir is {folder}, which holds no price export (*.csv).")
    return found


def _points(path: Path) -> list[Point]:
    points: list[Point] = []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        if next(rows, None) != _COLUMNS:
            raise SettingsError(f"prices_dir holds {path.name}, whose header is not {','.join(_COLUMNS)}.")
        for row in rows:
            point = _point(row)
            if point is None or (points and point.stamp <= points[-1].stamp):
                raise SettingsError(f"prices_dir holds {path.name}, whose line {rows.line_num} is no later price row.")
            points.append(point)
    if not points:
        raise SettingsError(f"prices_dir holds {path.name}, which has no row.")
    return points


def _point(row: list[str]) -> Point | None:
    try:
        snapped_at, price, market_cap, total_volume = row
        stamp = datetime.strptime(snapped_at, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:
        return None
    if not all(_NUMBER.fullmatch(text) for text in (price, market_cap or "0", total_volume or "0")):
        return None
    return Point(to_ms(stamp), price, market_cap or None, total_volume or None)
