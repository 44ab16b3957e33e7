"""Log lines that a terminal can show: what would control it is written out."""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import Any

#: Control characters, tabs and ends of lines too, and those that hide text or turn its direction.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Write out what a terminal would obey or hide: `\x1b` in place of an escape character, and so on."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


@cache  # once in a process
def hook_log_records() -> None:
    """Write them out at the birth of a log record: filters of loggers and handlers would miss libraries' loggers."""
    make_record = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401 - as the factory it wraps
        record = make_record(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit the message: logging reports that itself
            return record
        if (shown := visible(message)) != message:
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[0] is not None:
            lines = (record.exc_text or logging.Formatter().formatException(record.exc_info)).split("\n")
            record.exc_text = "\n".join(map(visible, lines))
        return record

    logging.setLogRecordFactory(factory)
