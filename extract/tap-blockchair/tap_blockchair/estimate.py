"""What a configuration would cost, found out without running it: bytes, hours and points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from tap_blockchair.client import ApiStream
from tap_blockchair.dump_stream import DumpStream
from tap_blockchair.quota import Paused
from tap_blockchair.tips import TippedStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_blockchair.base import ChainStream
    from tap_blockchair.settings import Settings

THROTTLE = 10_000
"""Bytes a second that the dump host's README allows without a key."""
_MOST_HEADS = 20
_HOUR = 3600
_WIDTH = 34


@dataclass(frozen=True)
class Cost:
    """What a stream would take: dump files to download and their bytes, requests to the API and their points.

    Attributes:
        exact: Whether every file was asked for its length.
    """

    files: int = 0
    size: int = 0
    exact: bool = True
    requests: int = 0
    points: Decimal = Decimal(0)


def dump_cost(stream: DumpStream) -> Cost:
    """Estimate what a dump stream would download with its state.

    Few files are asked for their length, one HEAD each. Of many the index page's rounded sizes are taken, and where it
    shows none, a sample of files is asked, evenly spread.
    """
    files = stream.new_files()
    if not files:
        return Cost()
    rounded = [file.about for file in files if file.about is not None]
    if len(files) > _MOST_HEADS and len(rounded) == len(files):
        return Cost(len(files), sum(rounded), exact=False)
    asked = files[:: -(-len(files) // _MOST_HEADS)]  # evenly spread
    lengths = [stream.length_of(file) for file in asked]
    return Cost(len(files), sum(lengths) * len(files) // len(lengths), exact=len(asked) == len(files))


def cost_of(stream: ChainStream) -> Cost:
    """Estimate what a stream would take with its state."""
    if isinstance(stream, TippedStream):
        requests, points = stream.price_of_tip()
        days = dump_cost(stream) if stream.settings.tip != "only" else Cost()
        return replace(days, requests=requests, points=points)
    if isinstance(stream, DumpStream):
        return dump_cost(stream)
    if isinstance(stream, ApiStream):
        requests, points = stream.price()
        return Cost(requests=requests, points=points)
    return Cost()


def report(streams: Iterable[ChainStream], settings: Settings) -> str:
    """Estimate streams, as lines for a person."""
    lines = [f"{'stream':{_WIDTH}} {'files':>7} {'download':>12} {'API requests':>13} {'points':>9}"]
    size, points, requests = 0, Decimal(0), 0
    for stream in streams:
        try:
            cost = cost_of(stream)
        except Paused as pause:
            lines.append(f"{stream.name:{_WIDTH}} not estimated: {pause.why}; ask again {pause.resume}.")
            continue
        about = "" if cost.exact else "~"
        lines.append(
            f"{stream.name:{_WIDTH}} {cost.files:>7,} {about + bytes_text(cost.size):>12} {cost.requests:>13,}"
            f" {cost.points:>9,.0f}",
        )
        size, points, requests = size + cost.size, points + cost.points, requests + cost.requests
    lines.append(f"{'together':{_WIDTH}} {'':>7} {bytes_text(size):>12} {requests:>13,} {points:>9,.0f}")
    if settings.dumps_folder:
        lines.append("dumps: read from a folder, nothing is downloaded.")
    elif settings.dumps_key:
        lines.append("dumps: with dumps_key no throttle is documented; the time is that of your connection.")
    else:
        hours = size / THROTTLE / _HOUR
        lines.append(f"dumps: about {hours:,.1f} hours at the {THROTTLE // 1000} kB/s allowed without dumps_key.")
    if requests:
        minutes = requests / settings.requests_per_minute
        lines.append(f"API: at least {minutes:,.0f} minutes at {settings.requests_per_minute} requests a minute.")
    if settings.points_per_day is not None and points:
        days = points / max(1, settings.points_per_day)
        lines.append(f"API: {days:,.1f} days' points at {settings.points_per_day:,} a day.")
    return "\n".join(lines)


def bytes_text(size: int) -> str:
    """Write a number of bytes for people, such as `61.9 MB` (powers of 1000)."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004 (of the decimal prefixes)
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
