"""What was found, as a text file that Prometheus's node exporter collects."""

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from console.errors import ConsoleError
from console.health import Health


def write_metrics(found: Health, path: Path) -> None:
    """Replace a text file in one step; its name has to end in .prom, or the collector leaves it out.

    Raises:
        ConsoleError: It cannot be written.
    """
    registry = CollectorRegistry()

    def gauge(name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"crypto_elt_{name}", about, labels, registry=registry)

    gauge("healthy", "1 when `crypto-elt health` finds nothing wrong").set(found.is_well)
    gauge("asked_timestamp_seconds", "When it was asked").set(found.asked_at.timestamp())
    gauge("problems", "How many things are wrong").set(len(found.problems))
    gauge("failed_checks", "Data-quality checks that fail, as the last build counted").set(found.failed_checks)
    gauge("database_bytes", "Size of the warehouse's database").set(found.size)
    gauge("disk_free_bytes", "Free where the project lies").set(found.disk_free)
    gauge("disk_total_bytes", "Size of the disk where the project lies").set(found.disk_total)
    rows = gauge("rows", "Rows of a table, as the planner estimates", "table")
    for table, count in found.rows.items():
        rows.labels(table).set(count)
    lag = gauge("lag_seconds", "Time since the newest day ended, or the last load or build", "kind", "name")
    late = gauge("late", "1 where a stream or mart is not there by its time", "kind", "name")
    last = gauge("last_timestamp_seconds", "When a stream was last loaded, or a mart last built", "kind", "name")
    for one in found.verdicts:
        labels = (one.fact.kind, one.fact.name)
        lag.labels(*labels).set(one.lag.total_seconds())
        late.labels(*labels).set(one.is_late)
        last.labels(*labels).set(one.fact.at.timestamp())
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise ConsoleError(f"the metrics could not be written to {path}: {error.strerror}.") from None
