"""fct_wealth_daily, fct_wealth_distribution_daily and the snapshots of balances, from `_metrics_wealth.md`."""

from collections import defaultdict
from datetime import date, datetime
from fractions import Fraction

from recompute.compare import Rows
from recompute.days import DAY, Chain
from recompute.exact import ratio, rounded
from recompute.raw import Balance, Raw, day_of

TOP_ADDRESSES = 1000
COINS = {"1_coins": 1, "100_coins": 100, "10k_coins": 10_000}
PARTS = {"1_in_1k": 10**3, "1_in_10k": 10**4, "1_in_100k": 10**5, "1_in_1m": 10**6, "1_in_10m": 10**7}
TOPS = (1, 10, 100, 1000)


class Snapshot:
    """One look at the balances."""

    def __init__(self, rows: list[Balance]) -> None:
        self.observed_at = rows[0].observed_at
        self.is_of_all = rows[0].is_of_all
        self.day = day_of(self.observed_at)
        self.rows = sorted(rows, key=lambda row: (-row.balance, row.rank or 0, row.address))
        self.balances = [row.balance for row in self.rows if row.balance > 0]

    def top(self, count: int) -> int:
        """What so many of the richest hold."""
        return sum(self.balances[:count])


def snapshots_of(raw: Raw, chain: str) -> list[Snapshot]:
    """A chain's snapshots in the order of time."""
    found: dict[datetime, list[Balance]] = defaultdict(list)
    for row in raw.balances[chain]:
        found[row.observed_at].append(row)
    return [Snapshot(rows) for _, rows in sorted(found.items())]


class Wealth:
    """The snapshots of a chain."""

    def __init__(self, raw: Raw, chain: Chain, valued: Rows) -> None:
        self.chain, self.valued = chain, valued
        self.snapshots = snapshots_of(raw, chain.name)
        self.stated: dict[date, int] = {}
        for observed_at, supply in sorted(raw.supplies[chain.name]):
            self.stated[day_of(observed_at)] = supply

    def supply(self, snapshot: Snapshot) -> tuple[int | None, str]:
        """Blocks first, then Blockchair's figure of the day, then the balances where all of them are there."""
        row = self.valued.get((self.chain.name, snapshot.day))
        if row is not None and isinstance(row["supply_base"], int):
            return row["supply_base"], str(row["supply_source"])
        if snapshot.day in self.stated:
            return self.stated[snapshot.day], "snapshot"
        if snapshot.is_of_all:
            return sum(snapshot.balances), "balances"
        return None, "unknown"

    def daily(self) -> Rows:
        """The rows of fct_wealth_daily: of a day the last snapshot of all addresses, else the last of the largest."""
        chosen: dict[date, Snapshot] = {}
        for snapshot in sorted(self.snapshots, key=lambda found: (found.is_of_all, found.observed_at)):
            chosen[snapshot.day] = snapshot
        return {(self.chain.name, day): self._day(snapshot) for day, snapshot in chosen.items()}

    def _day(self, snapshot: Snapshot) -> dict[str, object]:
        balances, smallest = snapshot.balances, snapshot.balances[-1]
        supply, source = self.supply(snapshot)
        richest = -(-len(balances) // 100)
        row: dict[str, object] = {
            "observed_at": snapshot.observed_at,
            "is_whole": snapshot.is_of_all,
            "address_count": len(balances),
            "smallest_balance_base": smallest,
            "supply_base": supply,
            "supply_source": source,
        }
        for name, coins in COINS.items():
            threshold = Fraction(coins * self.chain.base_units)
            row[f"address_count_{name}"] = self._count(snapshot, threshold)
        for name, parts in PARTS.items():
            row[f"address_count_{name}"] = None if supply is None else self._count(snapshot, Fraction(supply, parts))
        rich = None if supply is None else self._above(snapshot, Fraction(supply, 10**4))
        row["network_distribution_factor"] = None if rich is None else ratio(sum(rich), supply)
        poor = None if supply is None else sum(balance for balance in balances if balance * 10**7 < supply)
        row["supply_equality_ratio"] = ratio(poor, snapshot.top(richest)) if snapshot.is_of_all else None
        is_full = snapshot.is_of_all or len(balances) >= 100
        row["top_100_share"] = ratio(snapshot.top(100), supply) if is_full else None
        row["top_1_percent_share"] = ratio(snapshot.top(richest), supply) if snapshot.is_of_all else None
        return row

    def _above(self, snapshot: Snapshot, threshold: Fraction) -> list[int] | None:
        if not snapshot.is_of_all and snapshot.balances[-1] >= threshold:
            return None
        return [balance for balance in snapshot.balances if balance >= threshold]

    def _count(self, snapshot: Snapshot, threshold: Fraction) -> int | None:
        found = self._above(snapshot, threshold)
        return None if found is None else len(found)

    def distribution(self) -> Rows:
        """The rows of fct_wealth_distribution_daily: of a day the last snapshot."""
        rows: Rows = {}
        for day, snapshot in {found.day: found for found in self.snapshots}.items():
            supply, _ = self.supply(snapshot)
            for top in TOPS:
                if len(snapshot.rows) >= top:
                    rows[self.chain.name, day, f"top {top}"] = {
                        "observed_at": snapshot.observed_at,
                        "top_count": top,
                        "address_count": top,
                        "balance_base": snapshot.top(top),
                        "smallest_balance_base": snapshot.balances[top - 1],
                        "supply_base": supply,
                        "supply_share": ratio(snapshot.top(top), supply),
                    }
        return rows

    def addresses(self) -> Rows:
        """The rows of fct_address_balances_snapshot."""
        rows: Rows = {}
        last = {snapshot.day: snapshot.observed_at for snapshot in self.snapshots}
        for snapshot in self.snapshots:
            priced = next((day for day in (snapshot.day, snapshot.day - DAY) if day in self.chain.closes), None)
            for rank, row in enumerate(snapshot.rows[:TOP_ADDRESSES], 1):
                rows[self.chain.name, snapshot.observed_at, row.address] = {
                    "observed_date": snapshot.day,
                    "balance_rank": rank,
                    "balance_base": row.balance,
                    "balance_usd": None if priced is None else self.chain.dollars(row.balance, priced),
                    "price_status": "missing" if priced is None else "priced",
                    "price_date": priced,
                    "is_last_of_day": last[snapshot.day] == snapshot.observed_at,
                }
        return rows


def reported(rows: Rows, assets: dict[str, int]) -> Rows:
    """The rows of bi_balances: those of the day's last snapshot, dollars to four decimals, amounts as text."""
    found: Rows = {}
    for (chain, _, address), row in rows.items():
        if row["is_last_of_day"]:
            worth = row["balance_usd"]
            assert worth is None or isinstance(worth, Fraction)
            found[assets[str(chain)], row["observed_date"], address] = {
                "balance_rank": row["balance_rank"],
                "balance_base_text": str(row["balance_base"]),
                "balance_usd": rounded(worth, 4),
                "price_status": row["price_status"],
                "price_date": row["price_date"],
            }
    return found
