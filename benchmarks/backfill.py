"""How much faster a backfill is on two Celery workers than on one slot, where tasks wait for the network and where not.

    .venv-dev/bin/python benchmarks/backfill.py [--folder DIR] [--rounds 1] [--stall 2] [--quick]

A copy of the working tree loads 3 chains by 4 days out of the simulator, by the DAG `backfill`, in a real Airflow with
the CeleryExecutor. Each way loads everything anew into emptied tables, and has to come to the very rows of a plain
`meltano run`. Throttled, each request to the dump host is answered after `--stall` seconds. Needs `redis-server`.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from airflow_stack import Airflow, kill_group, redis, use_celery
from checkout import Checkout, make_checkout
from waiting import wait_for

_BITCOIN_LIKE = ("blocks", "transactions", "inputs", "outputs")
TABLES = {"bitcoin": _BITCOIN_LIKE, "dogecoin": _BITCOIN_LIKE, "ethereum": ("blocks", "transactions", "calls")}
CHAINS, DAYS = tuple(TABLES), ("2025-01-30", "2025-01-31", "2025-02-01", "2025-02-02")
WORLD = {
    "SIMULATOR_START": DAYS[0],
    "SIMULATOR_DAYS": str(len(DAYS)),
    "SIMULATOR_BLOCKS_PER_DAY": "24",
    "SIMULATOR_TRANSACTIONS_PER_BLOCK": "10",
    "TAP_BLOCKCHAIR_START_DATE": DAYS[0],
}


@dataclass
class Way:
    """So many workers, of one slot each."""

    name: str
    workers: int
    throttled: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)


def ways() -> list[Way]:
    """What is compared; the first is what ratios are to."""
    return [Way("one worker, one slot", 1), Way("two workers, one slot", 2)]


def rows(checkout: Checkout) -> dict[str, tuple[int, str]]:
    """Rows and digest of each table that a backfill fills."""
    own = {f"raw_data.{chain}_{table}" for chain, tables in TABLES.items() for table in tables}
    found = {name: what for name, what in checkout.tables().items() if name in own}
    if not any(count for count, _ in found.values()):
        sys.exit("Nothing was loaded.")
    return found


def empty(checkout: Checkout) -> None:
    """Drop what was loaded, and the memory of it."""
    tables = checkout.sql(
        "select format('%%I.%%I', schemaname, tablename) from pg_tables where schemaname = 'raw_data' and "
        "(tablename = 'load_ledger' or tablename ~ %s)",
        f"^({'|'.join(CHAINS)})_",
    )
    names = ", ".join(str(row[0]) for row in tables)
    if names:
        checkout.sql_do(f"drop table if exists {names} cascade", role="loader")


@contextlib.contextmanager
def airflow_of(checkout: Checkout, broker: str) -> Iterator[Airflow]:
    """Airflow without workers. No slot is for builds, so that only loading is measured."""
    use_celery(checkout, broker, {"blockchair_api": 1, "dump_host": 4, "dbt": 0})
    checkout.environ["AIRFLOW_WORKER_CONCURRENCY"] = "1"
    checkout.run("meltano", "install", "utility", "airflow")
    checkout.run("meltano", "invoke", "airflow:initialize")
    stack = Airflow(checkout)
    only = [word for name in ("api-server", "scheduler", "dag-processor") for word in ("--only", name)]
    try:
        stack.up(*only, until="up: api-server, scheduler, dag-processor")
        wait_for(lambda: "backfill" in stack.dags(), "the DAG")
        yield stack
    finally:
        stack.end()


def measure(airflow: Airflow, way: Way, asked: dict[str, object], stall: float) -> tuple[float, float]:
    """Load everything once.

    Returns:
        Seconds from the first task's start to the last one's end, and the share of the tasks' time that they waited
        for a stalled answer.
    """
    empty(airflow.project)
    airflow.sources("DELETE", "faults")
    airflow.sources("DELETE", "requests")
    if stall:
        airflow.sources("POST", "faults", [{"match": "^/dumps/", "times": None, "action": {"stall": stall}}])
    workers = [airflow.up("--only", "worker", until="ready.") for _ in range(way.workers)]
    try:
        run = airflow.trigger("backfill", **asked)

        def loads() -> list[dict[str, object]]:
            return [task for task in airflow.tasks(run) if task["task_id"] == "load" and task["map_index"] != -1]

        wait_for(lambda: loads() and all(task["state"] in {"success", "failed"} for task in loads()), "loads", 3600)
        found = loads()
        if any(task["state"] != "success" or task["try_number"] != 1 for task in found):
            sys.exit(f"Not every task went well at once:\n{airflow.task_log(run)[-3000:]}")
        airflow.api(run, {"state": "failed"}, "PATCH")  # its build would wait for ever
    finally:
        for worker in workers:
            worker.end()
            kill_group(worker.process)
            airflow.ups.remove(worker)
    times = [
        tuple(datetime.fromisoformat(str(task[name])).timestamp() for name in ("start_date", "end_date"))
        for task in found
    ]
    took = max(end for _, end in times) - min(start for start, _ in times)
    waited = stall * float(airflow.sources("GET", "requests")["total"])
    return took, waited / sum(end - start for start, end in times)


def show(found: list[Way], stall: float, tasks: int) -> None:
    """Print the table of docs/benchmarks/backfill-speed.md."""
    first = found[0]
    print(
        f"\n{tasks} tasks, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {stall:g} s a request throttled"
    )
    print(f"{'':24}{'throttled':>11}{'ratio':>8}{'waiting':>9}{'unthrottled':>14}{'ratio':>8}")
    for way in found:
        slow, plain = median(way.throttled), median(way.plain)
        print(
            f"{way.name:24}{slow:9.1f} s{median(first.throttled) / slow:8.2f}{median(way.waiting):9.0%}"
            f"{plain:12.1f} s{median(first.plain) / plain:8.2f}"
        )


def main() -> None:
    """Install, measure each way in turn, print one table, clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")
    parser.add_argument("--rounds", type=int, default=1, help="how often each way takes its turn; medians are shown")
    parser.add_argument("--stall", type=float, default=2.0, help="seconds before the throttled host answers")
    parser.add_argument("--quick", action="store_true", help="a chain and two days: does everything still run?")
    options = parser.parse_args()
    chains, days = (CHAINS[:1], DAYS[:2]) if options.quick else (CHAINS, DAYS)
    asked = {"chains": list(chains), "start_date": days[0], "end_date": days[-1], "redo": True}
    found = ways()
    with (
        tempfile.TemporaryDirectory(prefix="crypto-elt-", dir=options.folder) as folder,
        make_checkout(Path(folder) / "clone") as checkout,
        redis() as broker,
    ):
        checkout.environ |= WORLD | {"TAP_BLOCKCHAIR_CHAINS": json.dumps(chains), "TAP_BLOCKCHAIR_END_DATE": days[-1]}
        checkout.make("doctor", check=False)
        checkout.run("warehouse", "start")
        checkout.run("simulator", "start")
        checkout.run("meltano", "install", "extractor", "tap-blockchair")
        checkout.run("meltano", "install", "loader", "target-postgres")
        checkout.run("meltano", "run", "tap-blockchair", "target-postgres")
        expected = rows(checkout)
        with airflow_of(checkout, broker) as airflow:
            for number in range(options.rounds):
                for way in found:
                    for stall, times in ((options.stall, way.throttled), (0.0, way.plain)):
                        took, waiting = measure(airflow, way, asked, stall)
                        loaded = rows(checkout)
                        different = sorted(name for name in expected | loaded if expected.get(name) != loaded.get(name))
                        if different:
                            sys.exit(f"{way.name}: other rows than of a plain `meltano run` in {', '.join(different)}")
                        times.append(took)
                        if stall:
                            way.waiting.append(waiting)
                        kind = "throttled" if stall else "unthrottled"
                        print(f"  {took:8.1f} s  round {number + 1}, {way.name}, {kind}", flush=True)
    show(found, options.stall, len(chains) * len(days))


if __name__ == "__main__":
    main()
