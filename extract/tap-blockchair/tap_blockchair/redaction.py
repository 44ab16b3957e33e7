"""One place that keeps keys out of every log line and message, and out of log lines what controls a terminal.

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
# Control characters, tabs and ends of lines too, and those that hide text or turn its direction.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")

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


def visible(text: str) -> str:
    r"""Write out what a terminal would obey or hide.

    Args:
        text: Any text, such as the name of a file or a column that the source sent.

    Returns:
        The text in one line, with `\x1b` in place of an escape character, and so on.
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


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
        clean = visible(redact(message))
        if clean != message:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[0] is not None:
            lines = redact(logging.Formatter().formatException(record.exc_info)).split("\n")
            record.exc_text = "\n".join(map(visible, lines))
        return record

    logging.setLogRecordFactory(redacting_factory)
