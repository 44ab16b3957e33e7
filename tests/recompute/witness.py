"""That the world has its gaps: each is looked for in the raw rows, so that no change makes the world a kind one."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta

from recompute.days import DAY, Chain, closes_of
from recompute.network import LONDON
from recompute.raw import CHAINS, UTXO, Raw, day_of
from recompute.tokens import NOBODY, STABLECOINS
from recompute.unspent import dust_limit

ETHER = 10**18
# Base units that are dust of nearly every kind of script.
SMALL = 300


class Witness:
    """The raw rows, and the questions that they are asked."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.chains = {name: Chain(raw, name) for name in CHAINS}

    def unpriced(self, chain: str) -> list[date]:
        """Days of blocks without a close, but for the newest, which has not ended."""
        found = self.chains[chain]
        return [day for day in found.days[:-1] if day not in found.closes]

    def no_close_at_the_start(self) -> bool:
        """Of the first days of a chain; of one coin there is none before them, of another there are."""
        early = [name for name in UTXO if self.chains[name].days[0] in self.unpriced(name)]
        return {any(day < self.chains[name].days[0] for day in self.chains[name].closes) for name in early} == {
            True,
            False,
        }

    def no_close_in_the_middle(self) -> bool:
        """A day between two that have one, on two chains."""
        found = {
            name
            for name, chain in self.chains.items()
            for day in self.unpriced(name)
            if day - DAY in chain.closes and day + DAY in chain.closes
        }
        return len(found) >= 2

    def no_close_at_the_end(self) -> bool:
        """Of the last whole day on one chain, and not on another."""
        return {chain.days[-2] in chain.closes for chain in self.chains.values()} == {True, False}

    def an_unpriced_month(self) -> bool:
        """Each day of a month of blocks, with closes before and after."""
        chain = self.chains["bitcoin"]
        months: dict[tuple[int, int], list[bool]] = defaultdict(list)
        for day in chain.days:
            months[day.year, day.month].append(day in chain.closes)
        whole = [month for month, priced in months.items() if len(priced) >= 28 and not any(priced)]
        return any(
            any((day.year, day.month) < month for day in chain.closes)
            and any((day.year, day.month) > month for day in chain.closes)
            for month in whole
        )

    def a_missing_block(self) -> bool:
        """Of Bitcoin and of Ethereum a height between two that are there, with all its rows."""
        for name in ("bitcoin", "ethereum"):
            chain = self.chains[name]
            missing = set(range(min(chain.heights), max(chain.heights))) - chain.heights.keys()
            rows = {row.height for row in self.raw.transactions[name]}
            rows |= {output.height for output in self.raw.outputs.get(name, [])}
            if not missing or missing & rows:
                return False
        return True

    def a_missing_block_between_days(self) -> bool:
        """One whose neighbours lie on two days, so that both are open."""
        chain = self.chains["ethereum"]
        return any(
            height + 1 not in chain.heights and height + 2 in chain.heights
            and chain.heights[height + 2].day == block.day + DAY
            for height, block in chain.heights.items()
        )  # fmt: skip

    def a_tip(self) -> bool:
        """The newest day has blocks of the API alone, which could still be replaced, and no other row."""
        for chain in self.chains.values():
            day = chain.days[-1]
            has_rows = day in chain.transactions or day in chain.outputs or day in chain.inputs or day in chain.closes
            if has_rows or any(block.is_dumped or block.is_settled for block in chain.blocks[day]):
                return False
        return True

    def two_snapshots_a_day(self) -> bool:
        """Of the largest balances: on a day with a close, on one without, and on one beyond the newest block."""
        found = set()
        for name, chain in self.chains.items():
            times: dict[date, set[object]] = defaultdict(set)
            for row in self.raw.balances[name]:
                if not row.is_of_all:
                    times[day_of(row.observed_at)].add(row.observed_at)
            for day, seen in times.items():
                if len(seen) > 1:
                    found |= {"beyond" if day > chain.days[-1] else "priced" if day in chain.closes else "unpriced"}
        return found == {"priced", "unpriced", "beyond"}

    def a_snapshot_of_all_addresses(self) -> bool:
        """And of the largest alone on another day."""
        days: dict[bool, set[date]] = {True: set(), False: set()}
        for row in self.raw.balances["bitcoin"]:
            days[row.is_of_all].add(day_of(row.observed_at))
        return bool(days[True]) and bool(days[False] - days[True])

    def two_statements_of_supply_a_day(self) -> bool:
        """Of which the last counts."""
        return all(
            len({day_of(at) for at, _ in self.raw.supplies[name]}) < len(self.raw.supplies[name])
            for name in ("bitcoin", "ethereum")
        )

    def self_transfers(self) -> bool:
        """On Ethereum of a whale's size; on Bitcoin beside outputs to others."""
        ethereum = [row for row in self.raw.transactions["ethereum"] if row.sender and row.sender == row.recipient]
        spenders: dict[str, set[str]] = defaultdict(set)
        for spent in self.raw.inputs["bitcoin"]:
            spenders[spent.spending_transaction].add(spent.recipient)
        back = sum(output.recipient in spenders[output.transaction] for output in self.raw.outputs["bitcoin"])
        return any(row.value > 50 * ETHER for row in ethereum) and 0 < back < len(self.raw.outputs["bitcoin"])

    def uncles(self) -> bool:
        """Blocks since London that pay for uncles, and one that lacks what they got."""
        blocks = [block for block in self.raw.blocks["ethereum"] if block.height >= LONDON]
        paid = [block.uncle_generation for block in blocks]
        return None in paid and any(amount for amount in paid)

    def the_merge(self) -> bool:
        """Blocks with difficulty, and then without."""
        chain = self.chains["ethereum"]
        difficulties = [chain.heights[height].difficulty > 0 for height in sorted(chain.heights)]
        return difficulties[0] and not difficulties[-2]

    def data_outputs_with_a_value(self) -> bool:
        """Outputs that only carry data and hold coins all the same."""
        return any(output.is_data and output.value for output in self.raw.outputs["bitcoin"])

    def dust(self) -> bool:
        """On both chains outputs below their limit; on Bitcoin also one of the same value just above it."""
        sides = {
            name: {
                output.value < (dust_limit(name, output.script) or 0)
                for output in self.raw.outputs[name]
                if 0 < output.value <= SMALL
            }
            for name in UTXO
        }
        return sides == {"bitcoin": {True, False}, "dogecoin": {True}}

    def lost_rows(self) -> bool:
        """A day whose blocks are all there, without one of its inputs; and one without a transaction."""
        bitcoin, ethereum = self.chains["bitcoin"], self.chains["ethereum"]
        return any(bitcoin.has_all_blocks(day) and not bitcoin.has_all_outputs(day) for day in bitcoin.days) and any(
            ethereum.has_all_blocks(day) and not ethereum.has_all_transactions(day) for day in ethereum.days
        )

    def spent_outputs_that_are_not_loaded(self) -> bool:
        """Of the missing block, and of the time before the first loaded day."""
        kinds = set()
        for name in UTXO:
            chain = self.chains[name]
            loaded = {(output.transaction, output.index) for output in self.raw.outputs[name]}
            for spent in self.raw.inputs[name]:
                if (spent.transaction, spent.index) not in loaded:
                    kinds.add(spent.created_day in chain.outputs)
        return kinds == {True, False}

    def tokens_that_tell_less(self) -> bool:
        """Stablecoins with decimals and without, tokens made and destroyed, and two sorts of decimals in a day."""
        found = self.raw.token_transfers
        given = {row.decimals is None for row in found if row.token in STABLECOINS}
        decimals: dict[tuple[date, str], set[int | None]] = defaultdict(set)
        for row in found:
            decimals[row.day, row.token].add(row.decimals)
        return (
            given == {True, False}
            and any(row.sender == NOBODY for row in found)
            and any(row.recipient == NOBODY for row in found)
            and any(len(sorts) > 1 for sorts in decimals.values())
        )

    def odd_points(self) -> bool:
        """Two points of a date, one off midnight, a close of the second table alone, no capitalisation, no trade."""
        raw = self.raw
        bitcoin = [day_of(point.stamp) for point in raw.points["bitcoin"]]
        midnight = {point.stamp.timestamp() % 86_400 == 0 for point in raw.points["ethereum"]}
        charted = {day_of(point.stamp) for point in raw.points["ethereum"]}
        alone = {day_of(point.stamp) for point in raw.tokens["ethereum"]} - charted
        closes = closes_of(raw, "dogecoin").values()
        return (
            len(set(bitcoin)) < len(bitcoin)
            and midnight == {True, False}
            and bool(alone)
            and any(close.market_cap is None for close in closes)
            and any(close.volume == 0 for close in closes)
        )

    def a_quarter_without_a_gap(self) -> bool:
        """Ninety days of closes and whole days, else nothing that looks back so far would have a value."""
        chain = self.chains["dogecoin"]
        return any(
            all(
                (found := day - timedelta(days=back)) in chain.closes
                and found in chain.blocks
                and chain.has_all_transactions(found)
                for back in range(90)
            )
            for day in chain.days
        )


GAPS: dict[str, Callable[[Witness], bool]] = {
    name: question
    for name, question in vars(Witness).items()
    if callable(question) and not name.startswith("_") and name != "unpriced"
}
