"""The stream of candles: opening, highest, lowest and closing price."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from typing_extensions import override

from tap_coingecko import answers
from tap_coingecko.charts import EPOCH, SETTLED_AFTER, Amount, has_truth, stamp_of
from tap_coingecko.client import response_time
from tap_coingecko.errors import AsideError
from tap_coingecko.history import HistoryStream
from tap_coingecko.plans import Candles
from tap_coingecko.schemas import OHLC_SCHEMA
from tap_coingecko.windows import CANDLES_START, HISTORY_START, Window, candles_window, recent_days

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Record

#: Numbers of days that `/ohlc` accepts and answers with candles of four hours, or daily ones with `interval=daily`.
_DAYS: Mapping[Candles, tuple[int, ...]] = {Candles.FOUR_HOURS: (7, 14, 30), Candles.DAILY: (7, 14, 30, 90, 180)}
_PERIODS: Mapping[str, timedelta] = {"4h": timedelta(hours=4), "daily": timedelta(days=1)}
#: Candles of four days are what `/ohlc` answers with beyond 30 days.
_COARSE = timedelta(days=4)


class Candle(NamedTuple):
    """One candle, stamped with the moment of its close, UTC."""

    stamp: datetime
    open: Amount
    high: Amount
    low: Amount
    close: Amount


def completed_candles(answer: object, now: datetime, period: timedelta, *, ends_now: bool = True) -> list[Candle]:
    """Read an answer's candles, oldest first, and leave out what may still change.

    That is what closes after now or less than 40 minutes before (answers are published late, and cached), and a last
    candle that closes off the multiples of its length: it is stamped with the moment up to which it goes.

    Args:
        answer: The parsed answer, with exact numbers (`int` and `Decimal`).
        now: The source's clock at the time of the answer.
        period: The length of a candle.
        ends_now: Whether the span that was asked for reaches now.

    Raises:
        ValueError: If the answer is no list of candles, or of candles of another length.
    """
    if not isinstance(answer, list):
        raise ValueError("it is no list")  # noqa: TRY004 - the source's fault, not a caller's
    candles = sorted({candle.stamp: candle for candle in map(_read_candle, count(), answer)}.values())
    if ends_now and candles and (candles[-1].stamp - EPOCH) % period:
        candles.pop()
    candles = [candle for candle in candles if candle.stamp <= now - SETTLED_AFTER]
    gaps = [later.stamp - candle.stamp for candle, later in pairwise(candles)]
    if gaps and min(gaps) < period / 2:
        raise ValueError(f"its candles are shorter than {period}")
    if len(gaps) > 1 and min(gaps) >= _COARSE:
        raise ValueError(f"its candles are longer than {period}")
    return candles


def _read_candle(place: int, element: object) -> Candle:
    match element:
        case [
            int() as milliseconds,
            int() | Decimal() | None as first,
            int() | Decimal() | None as high,
            int() | Decimal() | None as low,
            int() | Decimal() | None as last,
        ] if not has_truth(element) and (stamp := stamp_of(milliseconds)) is not None:
            return Candle(stamp, first, high, low, last)
    raise ValueError(f"element {place} is no candle")  # without its text: an answer might repeat the key


class OhlcStream(HistoryStream):
    """Candles of the finest length that the plan gives for more than two days."""

    name = "coingecko_ohlc"
    path = "/coins/{coin_id}/ohlc"
    schema: ClassVar[dict[str, Any]] = OHLC_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("coin_id", "vs_currency", "granularity", "stamp")
    replication_key = "stamp"

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        return self.pairs("4h" if self.plan.candles is Candles.FOUR_HOURS else "daily")

    @override
    def oldest(self, part: Mapping[str, str]) -> datetime:
        return CANDLES_START if self.plan.candles is Candles.DAILY_RANGE else HISTORY_START

    @override
    def window(self, part: Mapping[str, str], now: datetime, wanted: datetime, floor: datetime) -> Window:
        if self.plan.candles is Candles.DAILY_RANGE:
            return candles_window(now, wanted, floor)
        days, keep_from = recent_days(now, wanted, _DAYS[self.plan.candles])
        if wanted < keep_from:
            self.logger.warning(
                "%s: candles before %s are beyond the reach of plan %s",
                ", ".join(part.values()),
                keep_from.date(),
                self.config["plan"],
            )
        return Window(now - timedelta(days=days), now, keep_from, ends_now=True)

    @override
    def rows(self, part: Mapping[str, str], window: Window) -> Iterator[tuple[datetime, Record]]:
        path = self.path.replace("{coin_id}", part["coin_id"])
        asked: dict[str, str | int] = {"vs_currency": part["vs_currency"]}
        if self.plan.candles is Candles.DAILY_RANGE:
            path += "/range"
            asked |= {"from": int(window.ask_from.timestamp()), "to": int(window.ask_to.timestamp())}
        else:
            asked |= {"days": (window.ask_to - window.ask_from).days, "precision": "full"}
        if self.plan.candles is not Candles.FOUR_HOURS:
            asked["interval"] = "daily"
        response = self.ask(path, **asked)
        period, now = _PERIODS[part["granularity"]], response_time(response)
        try:
            candles = completed_candles(answers.read(response), now, period, ends_now=window.ends_now)
        except ValueError as error:
            raise AsideError(f"CoinGecko's answer to {path} is no list of candles: {error}") from error
        for candle in candles:
            if window.keeps(candle.stamp):
                prices = {name: value for name, value in candle._asdict().items() if name != "stamp"}
                stamp = candle.stamp.isoformat(timespec="milliseconds")
                yield candle.stamp, {"stamp": stamp, "stamp_date": candle.stamp.date().isoformat(), **prices}
