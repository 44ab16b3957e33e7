"""One place that keeps keys out of every log line and message.

Blockchair takes its key as a query parameter, so it stands in every request URL, and libraries like to print URLs.
"""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
_SHORTEST_SECRET = 4  # replacing shorter texts would garble every message; the parameter pattern still covers them
_KEY_PARAMETER = re.compile(r"(?i)([?&]key=)[^&\s\"'<>)\]]+")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")

_secrets: set[str] = set()
_hooked: list[logging.Logger] = []


def protect(*secrets: object) -> None:
    """Redact these values from now on, in this process's log records too.

    Args:
        secrets: Values of secret settings; empty ones and None are ignored.
    """
    for secret in secrets:
        text = "" if secret is None else str(secret)
        if len(text) >= _SHORTEST_SECRET:
            _secrets.update((text, quote(text, safe=""), quote_plus(text)))
    _hook_log_records()


def redact(text: str) -> str:
    """Return the text without keys and without credentials in URLs.

    Args:
        text: Any text, such as a URL or the message of an exception.

    Returns:
        The text with every secret replaced by three asterisks.
    """
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _CREDENTIALS.sub(f"{MASK}@", _KEY_PARAMETER.sub(rf"\1{MASK}", text))


def _hook_log_records() -> None:
    """Redact at the birth of a log record: filters of loggers and handlers would miss libraries' own loggers."""
    if _hooked:
        return
    _hooked.append(logging.getLogger())
    make_record = logging.getLogRecordFactory()

    def redacting_factory(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401 (as the factory it wraps)
        record = make_record(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit the message: logging reports that itself
            return record
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return record

    logging.setLogRecordFactory(redacting_factory)
