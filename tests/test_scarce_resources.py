"""What runs out, comes twice at once or is taken away: disk space, two builds, two runs, a detached month."""

import resource
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from checkout import Checkout
from waiting import wait_for
from worlds import FEBRUARY, World

MODEL = "fct_transactions"
LOGS = ("int_loads_tracked", "int_price_changes", "int_chain_days", "int_changed_days")
FILE_LIMIT = 20 << 20  # bytes; a segment of the write-ahead log has 16 MiB
# What the model's transaction does last, when its rows are replaced: more than the disk has space for.
NEEDS_SPACE = {
    "a table": "create table intermediate.wide as select repeat(md5(n::text), 30) from generate_series(1, 30000) as n",
    "temporary files": (
        "set local work_mem = '64kB'; select count(distinct md5(n::text)) from generate_series(1, 100000) as n"
    ),
}
REFUSED = {"a table": "could not extend file", "temporary files": 'temporary file size exceeds "temp_file_limit"'}
HOOK = f"""
      {MODEL}:
        +post-hook: "{{}}"
"""
# Which transaction wrote the rows of the day whose price changes, and how many they are.
WRITTEN = (
    f"select min(xmin::text), count(*) from analytics.{MODEL}"  # noqa: S608
    " where chain = 'ethereum' and block_date = '2025-02-03'"
)
DOUBLED, HALVED = "price * 2", "trim_scale(price / 2)"
MONTH = "raw_data.bitcoin_outputs_p2025_02"

pytestmark = pytest.mark.long(part="kills")


@pytest.fixture(scope="module")
def built(filled: Callable[[World], Checkout]) -> Checkout:
    """A small warehouse."""
    return filled(FEBRUARY)


def dbt(checkout: Checkout, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return checkout.run("meltano", "invoke", "dbt-postgres", *arguments, check=False)


def change_price(checkout: Checkout, price: str, coin: str = "ethereum") -> None:
    """Let the close of 2025-02-03 change, with all that is counted in it."""
    where = f"coin_id = '{coin}' and stamp = '2025-02-04'"
    update = f"update raw_data.coingecko_market_chart set price = {price} where {where}"  # noqa: S608
    checkout.sql_do(update, role="loader")


def marts(checkout: Checkout) -> dict[str, tuple[int, str]]:
    return {name: content for name, content in checkout.tables().items() if name.startswith("analytics.")}


@contextmanager
def too_little_space(checkout: Checkout, what: str) -> Iterator[None]:
    """By a limit of the server's files, which PostgreSQL meets as it meets a full disk, or of its temporary ones."""
    if what == "temporary files":
        checkout.sql_do("alter role transformer set temp_file_limit = '1MB'", role="admin")
        try:
            yield
        finally:
            checkout.sql_do("alter role transformer reset temp_file_limit", role="admin")
        return
    ((postmaster,),) = checkout.sql("select split_part(pg_read_file('postmaster.pid'), chr(10), 1)", role="admin")
    before = resource.prlimit(int(str(postmaster)), resource.RLIMIT_FSIZE, (FILE_LIMIT, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(int(str(postmaster)), resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("what", NEEDS_SPACE)
def test_a_model_that_finds_no_space(built: Checkout, what: str) -> None:
    """Its rows and its watermark are those of before; the next build takes in what this one could not."""
    before, written = built.tables(), built.sql(WRITTEN)
    project_file = built.root / "transform/dbt_project.yml"
    as_it_was = project_file.read_text()
    change_price(built, DOUBLED)
    project_file.write_text(as_it_was.replace("    marts:\n", f"    marts:{HOOK.format(NEEDS_SPACE[what])}"))
    try:
        with too_little_space(built, what):
            output = built.fails("meltano", "invoke", "dbt-postgres", "run", "--select", *LOGS, MODEL)
    finally:
        project_file.write_text(as_it_was)
    assert f"Database Error in model {MODEL}" in output
    assert REFUSED[what] in output
    assert "Traceback" not in output
    assert built.sql(WRITTEN) == written
    assert built.sql("select to_regclass('intermediate.wide')") == [(None,)]

    assert dbt(built, "run", "--select", MODEL).returncode == 0
    assert built.sql(WRITTEN)[0][0] != written[0][0]
    assert built.sql(WRITTEN)[0][1] == written[0][1] != 0
    change_price(built, HALVED)
    assert dbt(built, "run", "--select", *LOGS, MODEL).returncode == 0
    assert built.tables() == before


def test_two_builds_at_once(built: Checkout) -> None:
    """Both are right, whichever of them did what: all is as it was before a price changed and changed back."""
    before, build = built.tables(), ("build", "--exclude-resource-type", "unit_test")
    change_price(built, DOUBLED)
    assert dbt(built, *build).returncode == 0
    assert built.tables()[f"analytics.{MODEL}"] != before[f"analytics.{MODEL}"]

    change_price(built, HALVED)
    with ThreadPoolExecutor(2) as threads:
        for done in [thread.result() for thread in [threads.submit(dbt, built, *build) for _ in range(2)]]:
            assert done.returncode == 0, done.stdout
    assert built.tables() == before


def test_two_runs_of_one_job_at_once(built: Checkout) -> None:
    """The second is refused in a sentence; the first one goes on to its end."""
    before = built.tables()
    job = ("meltano", "run", "--state-id-suffix=twice", "tap-blockchair", "target-postgres")
    held = "select 1 from pg_stat_activity where usename = 'loader' and wait_event_type = 'Lock'"
    with psycopg.connect(built.url("loader")) as holder:
        holder.execute("lock table raw_data.load_ledger in access exclusive mode")
        first = built.start(*job, **FEBRUARY.loaded)
        wait_for(lambda: built.sql(held, role="admin") or first.poll() is not None, "the first run waits")
        refused = built.fails(*job, **FEBRUARY.loaded)
        assert first.poll() is None
    assert "Another 'local:tap-blockchair-to-target-postgres:twice' pipeline is already running" in refused
    assert "Traceback" not in refused
    output, _ = first.communicate(timeout=600)
    assert first.returncode == 0, output
    assert built.tables() == before


def test_a_month_that_somebody_detaches(built: Checkout) -> None:
    """Every build names it, gate and audit stop what would be built without its rows, and the marts stay."""
    before = built.tables()
    built.sql_do(f"alter table raw_data.bitcoin_outputs detach partition {MONTH}", role="loader")
    quiet = dbt(built, "run", "--select", *LOGS)
    assert quiet.returncode == 0
    assert f"Detached from their tables, and so not read: {MONTH}. Their rows are kept;" in quiet.stdout

    change_price(built, DOUBLED, "bitcoin")
    build = built.run("meltano", "invoke", "dbt-postgres:build", check=False)
    assert build.returncode != 0
    assert "check failed: bitcoin 2025-02-03, unit_rows: bitcoin_outputs: expected" in build.stdout
    facts = ("analytics.fct_transactions", "analytics.fct_blocks", "analytics.fct_network_daily")
    assert [marts(built)[name] for name in facts] == [before[name] for name in facts]
    change_price(built, HALVED, "bitcoin")

    built.run("meltano", "invoke", "target-postgres:months", "attach")
    build = built.run("meltano", "invoke", "dbt-postgres:build")
    assert "Detached from their tables" not in build.stdout
    assert built.tables() == before
