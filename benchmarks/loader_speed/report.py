"""The table of all figures, the figures that the loader must show, and both as JSON."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from loader_speed.whole import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loader_speed.process import Usage
    from loader_speed.scenarios import Figure, Sizes

_MEMORY_LIMIT_MB = 200


@dataclass(frozen=True)
class Line:
    """Medians of one scenario at one size."""

    scenario: str
    title: str
    contender: str
    rows: int
    runs: int
    rows_per_second: float  # rows by wall time
    seconds: float  # wall time
    cpu_seconds: float  # client CPU
    peak_mb: float  # largest memory of the client's processes in any run
    ratio: float | None  # rows per second against the yardstick of the same size; None without one
    step_seconds: float | None  # of the load step, without the loader's start; None where that was not measured
    step_ratio: float | None  # rows per second of the load step, likewise
    bare_ratio: float | None  # against the yardstick without lineage: of the load step, else in all


@dataclass(frozen=True)
class Goal:
    """A figure that the loader must show."""

    name: str
    wanted: float
    found: float | None  # the value measured; None if it was not
    below: bool = False  # whether the bound is an upper one
    bare: float | None = None  # the same against the yardstick that leaves lineage empty, where that was measured

    @property
    def is_met(self) -> bool | None:
        """Whether the bound holds; None if nothing was measured."""
        if self.found is None:
            return None
        return self.found < self.wanted if self.below else self.found >= self.wanted


def summarise(figures: Sequence[Figure]) -> list[Line]:
    """Take medians, in the order in which scenarios were first measured."""
    groups: dict[tuple[str, int], list[Figure]] = defaultdict(list)
    for figure in figures:
        groups[figure.scenario, figure.rows].append(figure)
    wall = {key: median(figure.usage.seconds for figure in group) for key, group in groups.items()}
    lines = []
    for (scenario, rows), group in groups.items():
        seconds = wall[scenario, rows]
        yardstick, bare = wall.get(("yardstick", rows)), wall.get(("yardstick-bare", rows))
        steps = [figure.usage.step_seconds for figure in group if figure.usage.step_seconds is not None]
        step = median(steps) if steps else None
        lines.append(
            Line(
                scenario,
                group[0].title,
                group[0].contender,
                rows,
                len(group),
                rows / seconds,
                seconds,
                median(figure.usage.cpu_seconds for figure in group),
                max(figure.usage.peak_mb for figure in group),
                None if yardstick is None else yardstick / seconds,
                step,
                None if yardstick is None or step is None else yardstick / step,
                None if bare is None else bare / (step or seconds),
            )
        )
    return lines


def goals(lines: Sequence[Line], figures: Sequence[Figure], tap: dict[str, Usage], sizes: Sizes) -> list[Goal]:
    """Compare with what the loader must show; `tap` is what the tap took, by load and kind of messages."""
    by_key = {(line.scenario, line.rows): line for line in lines}
    slow, medium, large, huge = sizes.slow, sizes.medium, sizes.large, sizes.huge

    def step(name: str, wanted: float, scenario: str, rows: int) -> Goal:
        line = by_key.get((scenario, rows))
        found, bare = (None, None) if line is None else (line.step_ratio, line.bare_ratio)
        return Goal(f"BATCH load step, {rows:,} rows {name}, against the yardstick", wanted, found, bare=bare)

    def against(mine: tuple[str, int], other: tuple[str, int]) -> float | None:
        one, two = by_key.get(mine), by_key.get(other)
        return None if one is None or two is None else one.rows_per_second / two.rows_per_second

    def step_against(mine: tuple[str, int], other: tuple[str, int]) -> float | None:
        one, two = by_key.get(mine), by_key.get(other)
        if one is None or two is None or one.step_seconds is None or two.step_seconds is None:
            return None
        return (one.rows / one.step_seconds) / (two.rows / two.step_seconds)

    line = by_key.get(("whole", large))
    found, bare = (None, None) if line is None else (line.ratio, line.bare_ratio)
    whole_command = Goal(f"meltano run, whole command, {large:,} rows, against the yardstick", 0.6, found, bare=bare)

    whole = [figure.usage.programs for figure in figures if figure.scenario == "whole"]
    taps = [usage.peak_mb for key, usage in tap.items() if key.endswith(" batch")]
    taps += [programs[PROGRAMS[0]] for programs in whole]
    loaders = [line.peak_mb for line in lines if line.scenario in ("fresh", "month", "reload", "huge", "days")]
    loaders += [programs[PROGRAMS[1]] for programs in whole]
    return [
        step("into a fresh month", 1.1, "fresh", large),
        step(f"into a month of 30 days of {sizes.earlier:,}", 0.8, "month", medium),
        step("again, changed", 0.6, "reload", medium),
        Goal(
            f"BATCH of {large:,} rows against the stock loader's {slow:,}",
            50,
            against(("fresh", large), ("stock", slow)),
        ),
        Goal(f"BATCH against dlt merge, {large:,} rows", 5, against(("fresh", large), ("dlt-merge", large))),
        Goal(f"RECORD against the stock loader, {slow:,} rows", 4, against(("record", slow), ("stock", slow))),
        Goal(
            f"load step, rows/s at {huge:,} rows against {medium:,}",
            0.85,
            step_against(("huge", huge), ("fresh", medium)),
        ),
        Goal("peak memory of the tap, BATCH, MB", _MEMORY_LIMIT_MB, max(taps, default=None), below=True),
        Goal("peak memory of the loader, BATCH, MB", _MEMORY_LIMIT_MB, max(loaders, default=None), below=True),
        whole_command,
    ]


def as_text(lines: Sequence[Line], aims: Sequence[Goal]) -> str:
    """Lay both tables out."""
    columns: list[tuple[str, Callable[[Line], str]]] = [
        ("scenario", lambda line: line.scenario),
        ("contender", lambda line: line.contender),
        ("into", lambda line: line.title),
        ("rows", lambda line: f"{line.rows:,}"),
        ("rows/s", lambda line: f"{line.rows_per_second:,.0f}"),
        ("wall s", lambda line: f"{line.seconds:.2f}"),
        ("client CPU s", lambda line: f"{line.cpu_seconds:.2f}"),
        ("peak MB", lambda line: f"{line.peak_mb:.0f}"),
        ("ratio", lambda line: _number(line.ratio)),
        ("step s", lambda line: _number(line.step_seconds)),
        ("ratio", lambda line: _number(line.step_ratio)),
        ("bare ratio", lambda line: _number(line.bare_ratio)),
        ("runs", lambda line: str(line.runs)),
    ]
    left = 3
    cells = [[name for name, _ in columns], *([show(line) for _, show in columns] for line in lines)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    text = [
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    text.insert(1, "-" * sum(widths, 2 * (len(widths) - 1)))
    measured = [aim for aim in aims if aim.found is not None]
    if measured:
        text += ["", "It must show"]
    for aim in measured:
        bound = f"{'below' if aim.below else 'at least'} {aim.wanted:g}"
        bare = "" if aim.bare is None else f"(against the bare one {aim.bare:.2f})"
        text.append(f"  {aim.name:84} {bound:>13} {aim.found:9.2f}  {bare:28} {'yes' if aim.is_met else 'NO'}")
    return "\n".join(text)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def as_json(
    lines: Sequence[Line], aims: Sequence[Goal], figures: Sequence[Figure], tap: dict[str, Usage], server: str
) -> dict[str, Any]:
    """Everything, single runs included."""
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    return {
        "machine": machine,
        "postgresql": server,
        "lines": [asdict(line) for line in lines],
        "goals": [{**asdict(aim), "reached": aim.is_met} for aim in aims],
        "runs": [asdict(figure) for figure in figures],
        "tap": {key: asdict(usage) for key, usage in tap.items()},
    }
