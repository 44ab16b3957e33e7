"""fct_active_addresses_periodic, from the definitions in `_metrics_active_addresses.md`."""

from collections.abc import Callable
from datetime import date, timedelta

from recompute.compare import Rows
from recompute.days import DAY, Chain
from recompute.network import Addresses
from recompute.raw import Raw


def _week(day: date) -> tuple[date, date]:
    """Monday and Sunday of its ISO week."""
    monday = date.fromisocalendar(day.isocalendar().year, day.isocalendar().week, 1)
    return monday, monday + timedelta(days=6)


def _month(day: date) -> tuple[date, date]:
    """First and last day of its month."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - DAY


KINDS = {"week": _week, "month": _month}


def periodic(raw: Raw, chain: Chain, networked: Rows) -> Rows:
    """The rows of a chain."""
    rows: Rows = {}
    addresses = Addresses(raw, chain)
    for kind, period_of in KINDS.items():
        for first, last in sorted({period_of(day) for day in chain.days}):
            days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
            loaded = [day for day in days if day in chain.days]

            def holds(flag: Callable[[date], bool], days: list[date] = days, loaded: list[date] = loaded) -> bool:
                return loaded == days and all(map(flag, days))

            paying = {address for day in loaded for address in addresses.paying[day]}
            paid = {address for day in loaded for address in addresses.paid[day]}
            new = {address for address in paying | paid if first <= addresses.first_seen[address]}
            is_told = holds(chain.has_all_outputs if chain.is_utxo else chain.has_all_transactions)
            counts = {
                "active_address_count": len(paying | paid),
                "paying_address_count": len(paying),
                "paid_address_count": len(paid),
                "new_active_address_count": len(new),
                "returning_address_count": len((paying | paid) - new),
            }
            at_end = networked.get((chain.name, last), {"is_new_address_count_partial": True})
            rows[chain.name, kind, first] = {
                "period_end_date": last,
                "loaded_day_count": len(loaded),
                **{name: count if is_told else None for name, count in counts.items()},
                "is_address_count_partial": not holds(chain.has_all_outputs),
                "is_new_address_count_partial": not holds(chain.has_all_outputs)
                or at_end["is_new_address_count_partial"],
                "is_final": holds(chain.is_final),
                "has_all_blocks": holds(chain.has_all_blocks),
                "has_all_transactions": holds(chain.has_all_transactions),
                "has_all_outputs": holds(chain.has_all_outputs),
            }
    return rows
