"""Reorganisations that move blocks to another day: dumps replace by time, and the tip by height."""

from __future__ import annotations

import gzip
from typing import Any

import pytest


class Days:
    """Blocks whose days are the test's to choose, at the API and, once published, as dumps."""

    def __init__(self, tables: Any, host: Any, blocks: Any, template: dict[str, Any]) -> None:
        self.tables, self.host, self.blocks, self.template = tables, host, blocks, template
        self.chain: dict[int, tuple[str, str]] = {}

    def publish(self, day: str) -> None:
        """Give the dump host what the chain has of a day."""
        content = gzip.decompress(self.blocks(*(height for height, (_, of) in self.chain.items() if of == day)))
        lines = content.decode().split("\n")
        at = lines[0].split("\t").index("hash")
        for number, line in enumerate(lines[1:], 1):
            fields = line.split("\t")
            fields[at] = self.chain[int(fields[0])][0]
            lines[number] = "\t".join(fields)
        self.host.put("bitcoin", "blocks", day.replace("-", ""), gzip.compress("\n".join(lines).encode(), mtime=0))

    def load(self, run: Any, taken: Any, state: Any) -> Any:
        """Run the tap and load what it sends; the table must be the chain then."""
        self.tables.rows["bitcoin/blocks"] = [
            {**self.template, "id": height, "hash": known, "time": f"{day} 12:00:00"}
            for height, (known, day) in sorted(self.chain.items())
        ]
        urls = {"api_url": self.tables.url, "dumps_url": self.host.url}
        config = {"chains": ["bitcoin"], **urls, "requests_per_minute": 100_000, "finality": {"bitcoin": 4}}
        result = run(config, state=state, select=("bitcoin_blocks",))
        taken.load(result)
        assert result.error is None
        assert {row["id"]: row["hash"] for row in taken.tables["bitcoin_blocks"]} == {
            height: known for height, (known, _) in self.chain.items()
        }
        return result.state


@pytest.fixture
def days(tables: Any, host: Any, blocks: Any, answer: Any) -> Days:
    made = Days(tables, host, blocks, answer("22")["data"][0])
    made.chain = {height: (f"{height:064x}", f"2024-01-0{1 + height // 10}") for height in range(27)}
    for day in ("2024-01-01", "2024-01-02"):
        made.publish(day)
    return made


# From which height on the chain is another, and the days of the blocks that take the place of the old ones.
MOVES = [
    (24, {24: "2024-01-03", 25: "2024-01-03", 26: "2024-01-03"}),
    (20, {20: "2024-01-02", 21: "2024-01-02", 22: "2024-01-03", 23: "2024-01-03"}),
    (18, {18: "2024-01-02", 19: "2024-01-03", 20: "2024-01-03", 21: "2024-01-03", 22: "2024-01-03"}),
    (24, {24: "2024-01-02", 25: "2024-01-03"}),  # a clock that runs late: height and time go different ways
    (22, {22: "2024-01-03", 23: "2024-01-04", 24: "2024-01-03", 25: "2024-01-03", 26: "2024-01-04"}),
    (20, {}),
    (20, {20: "2024-01-03", 21: "2024-01-03"}),  # it ends below the bookmark, and no older block's hash is known
    (26, {26: "2024-01-02"}),
]


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize(("fork", "moved"), MOVES, ids=str)
def test_blocks_that_move_to_another_day(
    run: Any, loader: Any, days: Days, fork: int, moved: dict[int, str], *, published: bool
) -> None:
    # The last blocks of the old chain bear times of a day that no dump has for long.
    days.chain |= {25: (f"{25:064x}", "2024-01-04"), 26: (f"{26:064x}", "2024-01-04")}
    taken = loader(by_key=True)
    first = days.load(run, taken, None)
    days.chain = {h: known for h, known in days.chain.items() if h < fork}
    days.chain |= {height: (f"{height:064x}".replace("0", "f", 1), day) for height, day in moved.items()}
    for day in ("2024-01-02", *(["2024-01-03"] if published else [])):
        days.publish(day)
    second = days.load(run, taken, first)
    days.chain[max(days.chain) + 1] = ("aa" * 32, "2024-01-05")
    days.load(run, taken, second)
