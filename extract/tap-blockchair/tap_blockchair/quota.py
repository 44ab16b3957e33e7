"""What Blockchair's API allows: points a day, requests a minute, and when to come back after a refusal.

The day's account lies in the tap's state, so that runs of one UTC day share it. Now is always the source's (its Date
header), never this machine's clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import requests
from singer_sdk.exceptions import FatalSyncError

from tap_blockchair import web

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_blockchair.settings import Settings

STATE_KEY = "api_quota"
"""Where the account lies in the tap's state, beside `bookmarks`."""

BAN = timedelta(hours=1)
"""How long an address is banned after repeated over-limit answers (code 429)."""

_STALE = 60.0  # seconds
_BASE_COSTS = {"stats": 1, "transactions": 5, "outputs": 10, "calls": 10}
_USUAL_COST = 2
_DEFAULT_LIMIT = 10
_OPERATORS = frozenset({"not", "or"})


class Paused(Exception):  # noqa: N818 (no error where rows came: the tap goes on another time)
    """The API must not be asked before a moment.

    Attributes:
        why: What is used up.
        until: When to resume, by the source's clock; None where the source gave no time.
        is_refusal: Whether the API said so, in this run or an earlier one, and not the tap's own `points_per_day`.
    """

    def __init__(self, why: str, until: datetime | None, *, is_refusal: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.until = until
        self.is_refusal = is_refusal

    @property
    def resume(self) -> str:
        """When to resume, for a person."""
        return f"after {self.until:%Y-%m-%d %H:%M} UTC" if self.until else "after the next 00:00 UTC"


def estimate(url: str) -> Decimal:
    """Estimate the points of a request: (base + filters) * (1 + 0.01 * rows beyond the default of 10).

    Args:
        url: The request's address with its query; the last part of its path names the table.
    """
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    base = _BASE_COSTS.get(parts.path.rpartition("/")[2], _USUAL_COST)
    filters = sum(term not in _OPERATORS for text in query.get("q", []) for term in text.split(","))
    limit = int(query.get("limit", [str(_DEFAULT_LIMIT)])[0])
    return (base + filters) * (1 + Decimal(max(0, limit - _DEFAULT_LIMIT)) / 100)


def source_time(headers: Mapping[str, str]) -> datetime | None:
    """Read the source's clock from a response's Date, in UTC; None where it has none that can be read."""
    try:
        return parsedate_to_datetime(headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None


class Quota:
    """The one account of all streams that ask the API.

    The tap's state is given by a function, since it is made after the streams.
    """

    def __init__(self, settings: Settings, state: Callable[[], Any]) -> None:
        self._settings = settings
        self._state = state
        self._stopped: Paused | None = None
        self._now: datetime | None = None
        self._seen = 0.0
        self._empty: dict[str, Paused] = {}
        self.pace = web.Pace(settings.requests_per_minute)

    @property
    def now(self) -> datetime | None:
        """The source's clock at its last answer of this run; None before the first."""
        return self._now

    @property
    def spent(self) -> Decimal:
        """Points of the account's day that are spent."""
        return self._account().points

    @property
    def left(self) -> Decimal | None:
        """Points that the day has left; None without a limit."""
        limit = self._settings.points_per_day
        return None if limit is None else max(Decimal(0), limit - self.spent)

    def reserve(self, cost: Decimal) -> None:
        """Let a request of so many points, estimated, through, at the pace of `requests_per_minute`.

        Raises:
            Paused: The day's points do not suffice, or an earlier answer asked to wait.
        """
        if self._is_stale() and (self._account().until or self._over(cost)):
            # Whether the account's day is still the source's day decides; asking for that must cost nothing.
            self._see(self._probe())
        self._hold()
        if self._over(cost):
            raise self._spent(cost)
        self.pace.wait()

    def charge(self, response: requests.Response, cost: Decimal, stated: object) -> None:
        """Add an answer's points to the account, and read the source's clock from it.

        The answer's own `context.request_cost` counts where it is a number; else the estimate, or 0 of a bad answer.
        """
        self._see(source_time(response.headers))
        if isinstance(stated, int | Decimal) and not isinstance(stated, bool):
            cost = Decimal(stated)
        elif not response.ok:
            cost = Decimal(0)
        account = self._account()
        self._write(account._replace(points=account.points + cost))

    def stop_for(self, span: timedelta, why: str) -> Paused:
        """Ask nothing for a while, in later runs too, and give what to raise."""
        return self._stop(self._now + span if self._now else None, why)

    def stop_today(self, why: str) -> Paused:
        """Ask nothing until the points are counted anew, at 00:00 UTC, and give what to raise."""
        return self._stop(_midnight_after(self._now) if self._now else None, why)

    def note_empty(self, stream: str, pause: Paused) -> None:
        """Note a stream of which a pause left nothing to load in this run."""
        if pause.is_refusal:
            self._empty[stream] = pause

    def raise_if_empty(self) -> None:
        """End the run with an error if a refusal of the API left a stream without a row.

        Raises:
            FatalSyncError: It did.
        """
        if not self._empty:
            return
        pause = next(iter(self._empty.values()))
        doubt = " A wrong BLOCKCHAIR_API_KEY may be answered so, too: check it." if self._settings.api_key else ""
        raise FatalSyncError(
            f"{', '.join(self._empty)} loaded nothing, because {pause.why}. The bookmarks stay where they were, and "
            f"what other streams loaded is kept. Run again {pause.resume}.{doubt}"
        )

    def rest(self) -> float:
        """Give the seconds to the source's next full minute, and one to spare; 61 where its clock is unknown."""
        return 61.0 - (self._now.second if self._now else 0)

    def _stop(self, until: datetime | None, why: str) -> Paused:
        since = self._now.isoformat() if self._now and until else None
        self._write(self._account()._replace(until=until.isoformat() if until else None, since=since, why=why))
        pause = Paused(why, until)
        # A moment that is known stands in the account, and passes.
        self._stopped = None if until else pause
        return pause

    def _is_stale(self) -> bool:
        """Whether the source's clock is unknown or was seen long ago: dump days between two requests take hours."""
        return self._now is None or monotonic() - self._seen > _STALE

    def _hold(self) -> None:
        account = self._account()
        if account.until and self._now:
            until = datetime.fromisoformat(account.until)
            if account.since and self._now < datetime.fromisoformat(account.since):
                # The clock was put back since: the pause is no longer than it was, however far away its end is now.
                until += self._now - datetime.fromisoformat(account.since)
                account = account._replace(until=until.isoformat(), since=self._now.isoformat())
                self._write(account)
            if self._now < until:
                raise Paused(account.why or "the API asked to wait", until)
            self._write(account._replace(until=None, since=None, why=None))
        elif self._stopped:
            raise Paused(self._stopped.why, self._stopped.until)

    def _over(self, cost: Decimal) -> bool:
        left = self.left
        return left is not None and cost > left

    def _spent(self, cost: Decimal) -> Paused:
        limit = self._settings.points_per_day
        why = (
            f"points_per_day allows {limit} points, {self.spent.normalize():f} are spent and the next request costs "
            f"{cost.normalize():f}"
        )
        return Paused(why, _midnight_after(self._now) if self._now else None, is_refusal=False)

    def _see(self, now: datetime | None) -> None:
        if now is None:
            return
        self._now, self._seen = now, monotonic()
        account, today = self._account(), now.date().isoformat()
        if account.day != today:
            # A clock that was put back begins no new day: what was spent counts until the next one begins.
            is_back = account.day is not None and today < account.day
            self._write(account._replace(day=today, points=account.points if is_back else Decimal(0)))

    def _account(self) -> _Account:
        kept = self._state().get(STATE_KEY) or {}
        points = Decimal(kept.get("points") or 0)
        return _Account(kept.get("day"), points, kept.get("until"), kept.get("since"), kept.get("why"))

    def _write(self, account: _Account) -> None:
        # Text, because targets read a fraction as a Decimal and then cannot write the state back.
        kept = account._asdict() | {"points": f"{account.points.normalize():f}"}
        self._state()[STATE_KEY] = {name: value for name, value in kept.items() if value is not None}

    def _probe(self) -> datetime | None:
        """Ask for the time where it costs no points: at the dump host, else at the account's own (free) statistics."""
        settings, session = self._settings, web.Session()
        key = {"key": settings.api_key} if settings.api_key else None
        places: list[tuple[str, str, dict[str, str] | None]] = [("GET", f"{settings.api_url}/premium/stats", key)]
        if not settings.dumps_folder:
            places.insert(0, ("HEAD", f"{settings.dumps_url}/", None))
        for method, url, params in places:
            try:
                response = session.request(
                    method,
                    url,
                    params=params,
                    headers={"User-Agent": settings.user_agent},
                    timeout=settings.timeout,
                    allow_redirects=False,
                )
            except requests.RequestException:
                continue
            if (now := source_time(response.headers)) is not None:
                return now
        return None


class _Account(NamedTuple):
    """What the state keeps."""

    day: str | None
    points: Decimal
    until: str | None
    since: str | None
    why: str | None


def _midnight_after(now: datetime) -> datetime:
    return datetime.combine(now.date() + timedelta(days=1), time(), UTC)
