"""Meltano's log, one JSON object a line, as lines of the task's log with their true level."""

from __future__ import annotations

import json
import logging
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

_COLOUR = re.compile(r"\x1b\[[0-9;]*m|\[0m")
# Control characters but tabs and ends of lines, and those that hide text or turn its direction.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_CLOCK = re.compile(r"^\d\d:\d\d:\d\d(\.\d+)?\s+")
_DBT_BAD = re.compile(r"(^|\d+ of \d+ )(ERROR|FAIL)\b|^(Failure|Runtime Error|Database Error|Compilation Error)\b")
_DBT_WARNING = re.compile(r"(^|\d+ of \d+ )WARN\b|^\[WARNING\]|^Warning\b")
_SAID = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b\s*[|:\]]")
# Of a slice, which is a day of a table as a rule: what was written, or that it was there already.
_SLICE = re.compile(r"^(?P<slice>\S+): (?:(?P<rows>[\d,]+) rows loaded\b|unchanged\b)")
_CHECK_FAILED = "check failed:"
# What Meltano warns of at each first run with bookmarks of its own, such as a chain's and day's in a backfill.
_EXPECTED = "No state was found, complete import."
# A heading of dbt's, with what it is about, below which the reason stands.
_DBT_HEADING = re.compile(
    r"^(?:Encountered an error:$|Failure\b|(?:Runtime|Database|Compilation|Parsing|Dependency|Validation) Error\b)"
)
# What plugins say of themselves beside the reason, and Meltano of the part that failed.
_NO_REASON = re.compile(r"^(?:Config validation failed|Traceback \(most recent call last\))")
_WHO_FAILED = re.compile(r"^(Extractor|Loader|Extractor and loader) failed$")
# How Meltano ends every run, as information; whether it failed is in a field beside.
_RUN_ENDED = "Run completed"
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
}
_LAST_ERRORS = 5
_MOST_CHECKS = 50


def visible(text: str) -> str:
    r"""Write out, as `\x1b` and so on, what a terminal, or whatever shows a log, would obey or hide."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


@dataclass
class RunLog:
    """What a run's lines say."""

    loader: str | None = None  # the plugin whose rows are counted
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_ERRORS))
    failed_checks: list[str] = field(default_factory=list)
    _reasons: dict[str, str] = field(default_factory=dict)  # by plugin: the last error that it stated
    _dbt_headings: list[str] = field(default_factory=list)  # of the failure that is being read
    _dbt_reason: str = ""
    _failed: str = ""
    _read: dict[str, int] = field(default_factory=dict)
    _written: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows loaded so far: those that slices wrote, and of tables without slices the records that came."""
        return sum((self._read | self._written).values())

    @property
    def cause(self) -> str:
        """The innermost reason, in one line; empty where no line has one.

        Of a failed check the first, of dbt its first failure with the reason below the heading, of a tap or loader the
        last error of the one that Meltano names: what failed first makes the other one fail too.
        """
        if self.failed_checks:
            return self.failed_checks[0]
        if self._dbt_reason:
            return self._dbt_reason
        taps = [name for name in self._reasons if name.startswith("tap-")]
        others = [name for name in self._reasons if name not in taps]
        order = [*taps, *others] if self._failed == "Extractor" else [*others, *taps]
        if order:
            return f"{order[0]}: {self._reasons[order[0]]}"
        return self.errors[0].splitlines()[0] if self.errors else ""

    def _take_reason(self, level: int, plugin: str, text: str) -> None:
        if not plugin or plugin == "meltano":
            if said := _WHO_FAILED.match(text):
                self._failed = said[1]
            return
        if _DBT_HEADING.match(text):
            self._dbt_headings.append(text)
        elif self._dbt_headings and text:
            headings = [one for one in self._dbt_headings if not one.startswith("Encountered")]
            self._dbt_reason = self._dbt_reason or ": ".join([*headings, text])
            self._dbt_headings = []
        elif level >= logging.ERROR and text and not _NO_REASON.match(text):
            self._reasons[plugin] = " ".join(text.splitlines()[0].split())

    def read(self, line: str) -> tuple[int, str]:
        """Take a line of Meltano's; returns level and text for the task's log, empty where nothing is to be shown."""
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            level, plugin, text = logging.INFO, None, line
        else:
            level = _LEVELS.get(str(entry.get("level", "info")).lower(), logging.INFO)
            plugin = entry.get("string_id") or entry.get("name")
            text = str(entry.get("event", ""))
            self._count(entry, plugin, text)
            if text == _RUN_ENDED and entry.get("status"):
                text = f"{text}: {entry['status']}"
            if entry.get("exc_info") or entry.get("exception"):
                text = f"{text}\n{entry.get('exception') or entry.get('exc_info')}"
        text = visible(_CLOCK.sub("", _COLOUR.sub("", text).strip()).strip())
        level = _true_level(level, text)
        self._take_reason(level, str(plugin or ""), text)
        if text.startswith(_CHECK_FAILED) and len(found := self.failed_checks) < _MOST_CHECKS and text not in found:
            found.append(text)
        if not text or text == "METRIC":
            return level, ""
        shown = f"{plugin}: {text}" if plugin and plugin != "meltano" else text
        if level >= logging.ERROR:
            self.errors.append(shown)
        return level, shown

    def _count(self, entry: dict[str, Any], plugin: object, text: str) -> None:
        if plugin != self.loader or self.loader is None:
            return
        written = _SLICE.match(text)
        if written:
            stream = "_".join(written["slice"].split("/")[:2]).replace("-", "_")
            self._written[stream] = self._written.get(stream, 0) + int((written["rows"] or "0").replace(",", ""))
            return
        metric = entry.get("metric_info")
        if isinstance(metric, dict) and metric.get("metric") == "record_count":
            stream = str((metric.get("tags") or {}).get("stream"))
            self._read[stream] = self._read.get(stream, 0) + int(metric.get("value") or 0)


def _true_level(level: int, text: str) -> int:
    """The level that a plugin's plain text states, since Meltano passes such lines on as information."""
    if text == _EXPECTED:
        return logging.INFO
    if level != logging.INFO:
        return level
    if text.startswith(_CHECK_FAILED) or _DBT_BAD.search(text):
        return logging.ERROR
    if _DBT_WARNING.search(text):
        return logging.WARNING
    said = _SAID.search(text[:120])
    return getattr(logging, said[1], level) if said else level
