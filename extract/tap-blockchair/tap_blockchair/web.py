"""HTTP for both hosts: short retries, one pace, one check of the data's origin, and no key in any message.

Blockchair takes its key as a query parameter, so it stands in every request URL, and libraries like to print URLs.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import quote, quote_plus

import backoff
import requests
from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")

TRIES = 4
NETWORK_FAULTS = (requests.RequestException,)
"""No answer, half an answer, or one that sends the tap in circles."""
_ORIGIN_HEADER = "X-Data-Origin"

MASK = "***"
_SHORTEST_SECRET = 4  # replacing shorter texts would garble every message; the parameter pattern still covers them
_KEY_PARAMETER = re.compile(r"(?i)([?&]key=)[^&\s\"'<>)\]]+")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
# Control characters, tabs and ends of lines too, and those that hide text or turn its direction.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")

_secrets: set[str] = set()


def waits() -> Generator[float, None, None]:
    """Give the longest pauses between tries, in seconds: 0.5, 1, 2, so that four tries end within four seconds."""
    return backoff.expo(base=2, factor=0.5)


def patient(
    action: Callable[_Args, _Result],
    faults: tuple[type[Exception], ...],
    report: Callable[[Any], None],
    *,
    hopeless: Callable[[Exception], bool] = lambda _fault: False,
) -> Callable[_Args, _Result]:
    """Make a call that is repeated a few times within seconds; the last exception comes through.

    Args:
        action: What to do.
        faults: Exceptions that a second try may spare.
        report: Gets the retry library's details of each pause; the library's own log would print arguments.
        hopeless: Whether one of these exceptions ends the tries early.
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


def check_origin(response: requests.Response, wanted: str | None) -> None:
    """Refuse simulated data where live data are wanted, and the other way round.

    Args:
        response: An answer of either host.
        wanted: The setting `data_origin`.

    Raises:
        FatalAPIError: The data are of the other origin.
    """
    simulated = response.headers.get(_ORIGIN_HEADER) == "simulator"
    if wanted is None or simulated == (wanted == "simulator"):
        return
    fault = "serves simulated data" if simulated else "does not mark its data as simulated"
    raise FatalAPIError(
        f"{display(response.url)} {fault}, but data_origin is {wanted}. Nothing of it was taken; "
        "correct api_url and dumps_url, or data_origin.",
    )


def unreachable(url: str | None, setting: str, error: Exception) -> FatalAPIError:
    """Make the error for a server that cannot be reached, at the address that a setting names."""
    return FatalAPIError(
        f"cannot reach {display(url)} ({_reason(error)}). The bookmark stays where it was; "
        f"check the setting {setting} and the network, then run again.",
    )


def display(url: str | None) -> str:
    """Give a URL without query, key and credentials."""
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


def protect(*secrets: object) -> None:
    """Redact these values from now on, in this process's log records too; empty ones and None are ignored."""
    for secret in secrets:
        text = "" if secret is None else str(secret)
        if len(text) >= _SHORTEST_SECRET:
            _secrets.update((text, quote(text, safe=""), quote_plus(text)))
    _hook_log_records()


def redact(text: str) -> str:
    """Replace every secret, and credentials in URLs, by three asterisks."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _CREDENTIALS.sub(f"{MASK}@", _KEY_PARAMETER.sub(rf"\1{MASK}", text))


def visible(text: str) -> str:
    r"""Write out what a terminal would obey or hide: `\x1b` in place of an escape character, and so on."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


@cache  # once in a process
def _hook_log_records() -> None:
    """Redact at the birth of a log record: filters of loggers and handlers would miss libraries' own loggers."""
    make_record = logging.getLogRecordFactory()

    def redacting_factory(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401 (as the factory it wraps)
        record = make_record(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit the message: logging reports that itself
            return record
        clean = visible(redact(message))
        if clean != message:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[0] is not None:
            lines = redact(logging.Formatter().formatException(record.exc_info)).split("\n")
            record.exc_text = "\n".join(map(visible, lines))
        return record

    logging.setLogRecordFactory(redacting_factory)
