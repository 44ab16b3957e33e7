"""The HTTP session: keeps pace and account, remembers the source's clock, turns network faults into sentences."""

from __future__ import annotations

import time
from collections import deque
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tap_coingecko.credits import Credits


from typing_extensions import override

#: Seconds over which calls are counted: a minute and a little, since calls travel at different speeds.
PACE_SECONDS = 61.0
#: Seconds to wait for a connection; a host that does not answer by then is reported as out of reach.
CONNECT_SECONDS = 5


class Pace:
    """Lets at most so many calls start within any minute, and none too soon after another.

    Args:
        per_minute: Most calls in any minute.
        gap: Seconds between the starts of two calls, at least; 0 lets calls below the limit start at once.
        clock: Seconds that only grow.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        gap: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._starts: deque[float] = deque(maxlen=per_minute)
        self._gap = gap
        self._clock = clock
        self._sleep = sleep or time.sleep

    def wait(self) -> None:
        """Sleep until another call may start, and count it."""
        if self._starts:
            ready = self._starts[-1] + self._gap
            if len(self._starts) == self._starts.maxlen:
                ready = max(ready, self._starts[0] + PACE_SECONDS)
            if (pause := ready - self._clock()) > 0:
                self._sleep(pause)
        self._starts.append(self._clock())


def stated_time(response: requests.Response) -> datetime | None:
    """Read the source's clock from an answer's Date, in UTC; None where it has no readable one."""
    try:
        stated = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        return None
    return stated if stated.tzinfo else None


class SourceSession(requests.Session):
    """A session for one source; `source_time` is its clock at the latest answer, None before the first."""

    def __init__(self, pace: Pace, credits_account: Credits) -> None:
        super().__init__()
        self._pace = pace
        self._credits = credits_account
        self.source_time: datetime | None = None
        # Only connecting is retried here, briefly; everything else is the stream's to judge.
        retry = Retry(
            total=None,
            connect=2,
            read=False,
            redirect=False,
            status=0,
            other=0,
            backoff_factor=0.5,
            respect_retry_after_header=False,
        )
        self.mount("http://", HTTPAdapter(max_retries=retry))
        self.mount("https://", HTTPAdapter(max_retries=retry))

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request at the set pace; any answer is given, whatever its status.

        Raises:
            FatalAPIError: If the host cannot be reached, or the month's calls are spent.
            RetriableAPIError: If the connection broke, or no answer came in time.
        """
        timeout = kwargs.get("timeout")
        if isinstance(timeout, int | float):
            kwargs["timeout"] = (min(timeout, CONNECT_SECONDS), timeout)
        self._credits.spend()
        self._pace.wait()
        parts = urlsplit(request.url or "")
        host = f"{parts.scheme}://{parts.netloc}"
        try:
            response = super().send(request, **kwargs)
        except requests.exceptions.SSLError as error:
            raise FatalAPIError(
                f"cannot reach {host}: its certificate was not accepted; check `api_url` and the machine's clock"
            ) from error
        except requests.RequestException as error:
            # Once it has answered, it is there, and may be again.
            if self.source_time is None and _never_connected(error):
                raise FatalAPIError(
                    f"cannot reach {host}: nothing answers there; check `api_url` and the network, then run again"
                ) from error
            raise RetriableAPIError(f"the connection to {host} broke ({type(error).__name__})") from error
        if (now := stated_time(response)) is not None:
            self.source_time = now
            self._credits.learn(now)
        return response


def _never_connected(error: requests.RequestException) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, ConnectTimeoutError | NewConnectionError)
