"""HTTP for both hosts: keys kept out of errors, short retries, one pace, one check of the data's origin."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import backoff
import requests
from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_blockchair.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tap_blockchair.settings import Settings

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")

ORIGIN_HEADER = "X-Data-Origin"
TRIES = 4
NETWORK_FAULTS = (requests.RequestException,)
"""No answer, half an answer, or one that sends the tap in circles."""


def waits() -> Generator[float, None, None]:
    """Give the longest pauses between tries.

    Returns:
        Seconds: 0.5, 1, 2, ... so that four tries at a server that is not there end within four seconds.
    """
    return backoff.expo(base=2, factor=0.5)


def patient(
    action: Callable[_Args, _Result],
    faults: tuple[type[Exception], ...],
    report: Callable[[Any], None],
    *,
    hopeless: Callable[[Exception], bool] = lambda _fault: False,
) -> Callable[_Args, _Result]:
    """Make a call that is repeated a few times within seconds.

    Args:
        action: What to do.
        faults: Exceptions that a second try may spare.
        report: Told of each pause, with the retry library's details; the library itself stays silent, because it
            would print functions and arguments.
        hopeless: Whether one of these exceptions ends the tries early.

    Returns:
        The action with retries; the last exception comes through.
    """
    repeated: Callable[_Args, _Result] = backoff.on_exception(
        waits,
        faults,
        max_tries=TRIES,
        jitter=backoff.full_jitter,
        on_backoff=report,
        giveup=hopeless,
        logger=None,
    )(action)
    return repeated


class Session(requests.Session):
    """A session whose exceptions carry no key, although the key stands in the URL."""

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        try:
            return super().send(request, **kwargs)
        except requests.RequestException as error:
            clean = type(error)(redact(str(error)))
        # Raised out here, because an exception raised inside `except` drags the original along as its context.
        raise clean


class Pace:
    """Lets at most so many calls through in any 60 seconds."""

    WINDOW = 60.0

    def __init__(
        self,
        calls: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._sleep = sleep or time.sleep
        self._clock = clock
        self._past: deque[float] = deque(maxlen=calls)
        self._gap = 0.0

    def slow_down(self) -> None:
        """Let half as many calls through from now on, and never two in quick succession."""
        self._past = deque(self._past, maxlen=max(1, (self._past.maxlen or 1) // 2))
        self._gap = max(1.0, 2 * self._gap)

    def wait(self) -> None:
        """Sleep until one more call keeps the limit, and count it."""
        if self._gap and self._past:
            self._sleep(max(0.0, self._past[-1] + self._gap - self._clock()))
        if len(self._past) == self._past.maxlen:
            self._sleep(max(0.0, self._past[0] + self.WINDOW - self._clock()))
        self._past.append(self._clock())


def check_origin(response: requests.Response, settings: Settings) -> None:
    """Refuse data of the wrong origin.

    Args:
        response: An answer of either host.
        settings: The tap's settings.

    Raises:
        FatalAPIError: Simulated data where live data are wanted, or the other way round.
    """
    simulated = response.headers.get(ORIGIN_HEADER) == "simulator"
    where = display(response.url)
    if settings.data_origin == "live" and simulated:
        raise FatalAPIError(
            f"{where} serves simulated data, but data_origin is live. Nothing of it was taken; "
            "correct api_url and dumps_url, or data_origin.",
        )
    if settings.data_origin == "simulator" and not simulated:
        raise FatalAPIError(
            f"{where} does not mark its data as simulated, but data_origin is simulator. Nothing of it was taken; "
            "correct api_url and dumps_url, or data_origin.",
        )


def unreachable(url: str | None, setting: str, error: Exception) -> FatalAPIError:
    """Say that a server cannot be reached.

    Args:
        url: The address that was asked.
        setting: The setting that names the server.
        error: What the HTTP library reported.

    Returns:
        The error to raise.
    """
    return FatalAPIError(
        f"cannot reach {display(url)} ({_reason(error)}). The bookmark stays where it was; "
        f"check the setting {setting} and the network, then run again.",
    )


def display(url: str | None) -> str:
    """Show a URL to a person.

    Args:
        url: Any URL.

    Returns:
        It without query, key and credentials.
    """
    return redact((url or "the server").partition("?")[0])


def _reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    text = str(error)
    for sign, meaning in (
        ("refused", "connection refused"),
        ("NameResolution", "unknown host name"),
        ("reset", "connection reset"),
        ("CERTIFICATE", "certificate not accepted"),
    ):
        if sign in text:
            return meaning
    return type(error).__name__
