"""Reads Meltano's log: how far a run is, and why it failed."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from console.terminal import visible

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_STREAM = re.compile(r"Beginning sync of '(\w+)'")
_DAY = re.compile(r"(\w+): day ([0-9-]+) done \((\d+) of (\d+)\)")
_NODE = re.compile(r"(\d+) of (\d+) (?:OK|PASS|WARN|FAIL|ERROR|SKIP|NO-OP)")
_DBT_FAILURE = re.compile(
    r"(?:Failure|Error) in \w+ \w+|(?:Runtime|Database|Parsing|Compilation|Env var) Error|^error:", re.IGNORECASE
)
_MOST_LINES = 12
# What dbt says where a release has changed the columns of a model that it only adds to, and what to do about it here.
_OUT_OF_SYNC = "The source and target schemas on this incremental model are out of sync"
_REFRESH = (
    "This release has other columns in that model than its table: run `meltano invoke dbt-postgres:build "
    "--full-refresh` once."
)
# How Meltano reports that a part of a run was killed, by the code with which it ended.
_KILLED = re.compile(r"(?:(extractors|loaders)\W+|`([\w-]+).*? )-9\b")
_PARTS = {"extractors": "the tap", "loaders": "the loader"}
# What plugins say of themselves while they work; never why they stopped.
_CHATTER = re.compile(
    r"METRIC:|Skipping parse|Meltano SDK v|Config validation failed|completed processing|Inserting with SQL"
    r"|Beginning |Starting |ResourceWarning|unhandled error occurred|^\s|^$"
)


@dataclass(frozen=True)
class LogLine:
    """One line of a run's log."""

    level: str  # info, warning, error or critical
    who: str  # the plugin, meltano, or empty for a line that came past Meltano
    text: str

    @classmethod
    def read(cls, line: str) -> "LogLine":
        """Read a line of `meltano --log-format=json`; any other line is taken as it is."""
        try:
            entry = json.loads(line)
            who = entry.get("string_id") or entry.get("name") or "meltano"
            text = visible(_ANSI.sub("", str(entry.get("event", ""))).rstrip())
            if details := (entry.get("install_state") or {}).get("details"):
                text = f"{entry['install_state'].get('plugin_name')}: {_install_error(str(details))}"
            if entry.get("exit_codes") or entry.get("err"):
                text = f"{text}: {entry.get('err') or ''} {entry.get('exit_codes') or ''}".rstrip()
            if text == "Run completed":  # Meltano says so of failed runs too
                text = f"{text}: {entry.get('status')}"
            if text == "METRIC":
                text = f"METRIC: {json.dumps(entry.get('metric_info', {}))}"
            return cls(str(entry.get("level", "info")), str(who), text)
        except (ValueError, AttributeError):
            return cls("info", "", visible(_ANSI.sub("", line.rstrip())))

    def __str__(self) -> str:
        return f"{self.level:8} {self.who:16} {self.text}" if self.who else self.text


def progress_words(said: LogLine) -> tuple[str, bool] | None:
    """How far a run is: a few words, and whether they open a new part of the work; None where a line says nothing."""
    if match := _STREAM.search(said.text):
        return f"loading {match[1]}", True
    if match := _DAY.search(said.text):
        return f"loading {match[1]}, {match[2]} (day {match[3]} of {match[4]})", False
    if match := _NODE.search(said.text):
        return f"building and testing models, {match[1]} of {match[2]}", match[1] == "1"
    return None


def reason(lines: Sequence[LogLine]) -> str:
    """What a failed run says of its failure: the last word of the part that failed."""
    ends = [match for line in lines if line.who == "meltano" and (match := _KILLED.search(line.text))]
    if ends:
        part = ends[0][2] or _PARTS[ends[0][1]]
        return f"{part} was killed by signal 9, as the system does where memory runs out; give it more, and run again"
    failed = _who_failed(lines)
    if failed == "dbt" and (reported := dbt_failure(lines)):
        return reported
    words = [line for line in lines if line.who != "meltano" and (line.who.startswith(failed) or not line.who)]
    words = [line for line in words if not _CHATTER.search(line.text)]
    loud = [line for line in words if line.level in {"error", "critical"}]
    chosen = (loud or words or [line for line in lines if line.level == "error"])[-1:]
    return chosen[0].text.strip() if chosen else "it gave no reason"


def dbt_failure(lines: Sequence[LogLine]) -> str:
    """The first failure in dbt's log with the lines set in below it, as one line; empty where there is none."""
    words = [_without_clock(line.text) for line in lines if line.who.startswith("dbt") or not line.who]
    begin = next((number for number, text in enumerate(words) if _DBT_FAILURE.search(text)), None)
    if begin is None:
        return ""
    found = words[begin : begin + 1]
    for text in words[begin + 1 : begin + _MOST_LINES]:
        if not text or text.startswith((">", "compiled code", "Done.")):
            break
        found.append(text)
    if any(_OUT_OF_SYNC in text for text in found):
        found = [*found[:2], _REFRESH]
    return " ".join(found)


def _who_failed(lines: Sequence[LogLine]) -> str:
    """How the names of the plugins that may have failed begin."""
    for line in reversed(lines):
        if line.who == "meltano" and "Extractor failed" in line.text:
            return "tap-"
        if line.who == "meltano" and "Loader failed" in line.text:
            return "target-"
        if line.who == "meltano" and "Extractor and loader failed" in line.text:
            return "target-"
    return "dbt" if any(line.who.startswith("dbt") for line in lines) else ""


def _install_error(details: str) -> str:
    """The installer's error and its first cause, of all that it printed."""
    lines = [line.strip() for line in details.splitlines()]
    picked = [line.split(": ", 1)[1] for line in lines if line.startswith(("error: ", "cause: "))]
    return "; ".join(picked[:2]) or " ".join(lines[-2:])


def _without_clock(text: str) -> str:
    return re.sub(r"^\d\d:\d\d:\d\d\s+", "", text).strip()
