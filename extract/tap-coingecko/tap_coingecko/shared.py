"""What the streams of a run share: session, account, failures, reach, and answers that two of them read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk import Tap
from typing_extensions import override

from tap_coingecko.credits import STATE_KEY, Credits
from tap_coingecko.failures import Failures
from tap_coingecko.plans import PLANS
from tap_coingecko.session import Pace, SourceSession
from tap_coingecko.windows import Reach

if TYPE_CHECKING:
    from datetime import datetime

    from tap_coingecko.charts import Point
    from tap_coingecko.windows import Window

#: Points that are kept for the second stream at most (some 40 MB).
SHARED_POINTS = 100_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A daily chart that was read, from `ask_from` up to now, and all its completed points."""

    ask_from: datetime
    points: list[Point]


class SharedAnswers:
    """Daily charts in US dollars of this run, which both streams read: each costs one call, not two."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self._room = SHARED_POINTS

    def keep(self, coin: str, answer: Answer) -> None:
        """Keep a coin's answer for the other stream, if there is space."""
        if len(answer.points) <= self._room:
            self._room -= len(answer.points)
            self._answers[coin] = answer

    def take(self, coin: str, window: Window) -> Answer | None:
        """Hand a coin's answer out, once; None where it is not known, or does not go back far enough."""
        answer = self._answers.pop(coin, None)
        if answer is None:
            return None
        self._room += len(answer.points)
        return answer if answer.ask_from <= window.keep_from else None


class SharingTap(Tap):
    """A tap whose streams share what a run has once."""

    _concluded = False

    @cached_property
    def session(self) -> SourceSession:
        """The HTTP session that all streams share."""
        per_minute = self.config.get("requests_per_minute") or PLANS[self.config["plan"]].requests_per_minute
        pace = Pace(per_minute, gap=self.config.get("wait_time_between_requests") or 0)
        return SourceSession(pace, self.credits)

    @cached_property
    def credits(self) -> Credits:
        """The month's calls, kept in the state."""
        budget = self.config.get("monthly_credits") or PLANS[self.config["plan"]].monthly_credits
        kept: dict[str, Any] = self.state  # type: ignore[assignment]  # the SDK types bookmarks only
        return Credits(budget, kept.setdefault(STATE_KEY, {}))

    @cached_property
    def failures(self) -> Failures:
        """What was set aside, so that the rest is read."""
        return Failures(self.logger)

    @cached_property
    def reach(self) -> Reach:
        """How far back the plan may look; all streams learn of it together."""
        return Reach(PLANS[self.config["plan"]].reach_days)

    @cached_property
    def answers(self) -> SharedAnswers:
        """Daily charts that two streams read."""
        return SharedAnswers()

    def conclude(self) -> None:
        """Log what the run cost, and end it with an error if something was set aside.

        Raises:
            FatalSyncError: If something was.
        """
        if not self._concluded:
            self._concluded = True
            cost = (self.credits.calls, self.credits.calls_in_month, self.credits.month or "all")
            self.logger.info("%d calls in this run, %d in %s.", *cost)
        self.failures.raise_any()

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        """Keep the account too, which lies beside the bookmarks: its calls are shared by all streams."""
        super().load_state(state)
        if isinstance(account := state.get(STATE_KEY), dict):
            kept: dict[str, Any] = self.state  # type: ignore[assignment]  # the SDK types bookmarks only
            kept[STATE_KEY] = dict(account)
