"""What is measured: each scenario is one load, and most stand beside the yardstick of the same size."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loader_speed.contenders import Bench, Contender, Dlt, Yardstick, ours, pipelinewise, stock
from loader_speed.whole import WholeCommand

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from loader_speed.data import Load
    from loader_speed.process import Usage


@dataclass(frozen=True)
class Sizes:
    """How many rows."""

    slow: int = 100_000  # for contenders that would take hours otherwise
    medium: int = 1_000_000  # the smaller day
    large: int = 5_000_000  # the larger day
    huge: int = 20_000_000  # the largest file, and all days of the longest load
    earlier: int = 100_000  # a day of the month that is there before
    days: int = 4  # over how many days the longest load is spread


@dataclass(frozen=True)
class Figure:
    """One measured load."""

    scenario: str
    title: str
    contender: str
    rows: int
    usage: Usage


@dataclass(frozen=True)
class Step:
    """Something to be done in every round; `run` yields the figures of the scenarios that `keys` name."""

    keys: tuple[str, ...]
    run: Callable[[], Iterator[Figure]] = field(compare=False)

    def measures(self, wanted: Collection[str]) -> bool:
        """Whether any of its scenarios is wanted."""
        return bool(set(wanted) & set(self.keys))


class Plan:
    """Puts the scenarios in order, so that the yardstick runs close to whatever is compared with it."""

    def __init__(self, bench: Bench, sizes: Sizes) -> None:
        self._bench = bench
        self._sizes = sizes
        self._number = 0

    def steps(self, wanted: Collection[str]) -> list[Step]:
        """The steps of a round that measure something wanted.

        The yardstick runs beside each scenario that is compared with it; alone, once per size.
        """
        sizes = self._sizes
        batch = ours("batch")
        small = [
            self._simple("record", ours("records"), sizes.slow, "records"),
            self._simple("stock", stock(), sizes.slow, "records"),
            self._simple("pipelinewise", pipelinewise(), sizes.slow, "records"),
        ]
        made = [step for step in small if step.measures(wanted)]
        for rows in dict.fromkeys((sizes.medium, sizes.large)):
            groups = [
                [
                    self._simple("fresh", batch, rows, "fresh month"),
                    self._simple("verify", ours("batch", verify=True), rows, "fresh month"),
                ],
                [
                    self._simple("yardstick-bare", Yardstick(bare=True), rows, "empty month"),
                    self._simple("dlt-append", Dlt("append"), rows, "new table"),
                ],
                [self._simple("dlt-merge", Dlt("merge"), rows, "new table")],
            ]
            if rows == sizes.medium:
                groups.append([Step(("month", "reload"), self._month)])
            if rows == sizes.large:
                groups.append([Step(("whole",), self._whole)])
            chosen = [[step for step in group if step.measures(wanted)] for group in groups]
            yardstick = self._simple("yardstick", Yardstick(), rows, "empty month")
            for group in list(filter(None, chosen)) or [[]]:
                made += [yardstick, *group] if yardstick.measures(wanted) else group
        longest = [
            self._simple("huge", batch, sizes.huge, "fresh month"),
            self._simple("days", batch, sizes.huge, f"{sizes.days} days of a month", days=sizes.days),
        ]
        return [*made, *(step for step in longest if step.measures(wanted))]

    def _simple(self, key: str, contender: Contender, rows: int, title: str, *, days: int = 1) -> Step:
        def go() -> Iterator[Figure]:
            load = self._bench.source.load(f"{rows}-{days}", rows, days=days)
            with self._bench.server.database(self._name(key)) as database:
                usage = self._measure(contender, database, load)
                yield Figure(key, title, contender.name, load.rows, usage)
                contender.check(self._bench, database, [load])

        return Step((key,), go)

    def _month(self) -> Iterator[Figure]:
        """A day into a month that holds thirty, then the same day with another content."""
        rows, contender, source = self._sizes.medium, ours("batch"), self._bench.source
        before = source.earlier(f"earlier-{self._sizes.earlier}", self._sizes.earlier)
        day = source.load(f"{rows}-1", rows)
        changed = source.load(f"{rows}-changed", rows, seed="changed-")
        held = f"month of 30 days of {self._sizes.earlier:,}"
        with self._bench.server.database(self._name("month")) as database:
            contender.prepare(self._bench, database, before)
            contender.run(self._bench, database, before)
            yield Figure("month", held, contender.name, day.rows, self._measure(contender, database, day))
            contender.check(self._bench, database, [before, day])
            usage = self._measure(contender, database, changed)
            yield Figure("reload", "that day again, changed", contender.name, changed.rows, usage)
            contender.check(self._bench, database, [before, changed])

    def _whole(self) -> Iterator[Figure]:
        rows = self._sizes.large
        contender = WholeCommand()
        load = self._bench.source.load(f"{rows}-1", rows)
        with self._bench.server.database(self._name("whole")) as database:
            contender.prepare(self._bench, database, load)
            try:
                usage = self._measure(contender, database, load, prepare=False)
            finally:
                contender.stop()
            yield Figure("whole", "with download", contender.name, load.rows, usage)
            contender.check(self._bench, database, [load])

    def _measure(self, contender: Contender, database: str, load: Load, *, prepare: bool = True) -> Usage:
        if prepare:
            contender.prepare(self._bench, database, load)
        for dump in load.dumps:  # from memory for everyone, not from the disk for whoever comes first
            subprocess.run(["cat", str(dump.path)], check=True, stdout=subprocess.DEVNULL)
        self._bench.server.settle(database)
        return contender.run(self._bench, database, load)

    def _name(self, key: str) -> str:
        self._number += 1
        return f"{key.replace('-', '_')}_{self._number}"
