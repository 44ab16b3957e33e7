"""A warehouse for each chain on a server of its own, united in a serving database, against one warehouse of all three.

Each is filled by the documented commands, of the same simulated world; only `TAP_BLOCKCHAIR_CHAINS` differs.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from checkout import PROJECT, RUN_TIME_COLUMNS, Checkout, copy_working_tree, stop, wipe
from waiting import wait_for
from worlds import MONTHS_END, World, fill_or_restore

sys.path.insert(0, str(PROJECT / "benchmarks"))
from questions import PAGES, SAID

pytestmark = [pytest.mark.long(part="unite"), pytest.mark.timeout(3600)]
CHAINS = ("bitcoin", "ethereum", "dogecoin")
# Numbers of loads are each warehouse's own, as are run-time columns.
OF_A_LOAD = {
    "fct_pipeline_runs": ["pipeline_run_key", "run_id", "run_load_number", "time_key", "date_key", "loaded_date"]
}
TABLES = """
    select relname::text from pg_class where relnamespace = 'analytics'::regnamespace
    and relkind in ('r', 'p', 'v', 'f') and not relispartition and relname <> 'rpt_united_chains'
    and has_table_privilege(oid, 'select') order by 1
"""
COLUMNS = """
    select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum),
        obj_description(c.oid)
    from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relname = any (%s) and c.relnamespace = 'analytics'::regnamespace order by c.relname, a.attnum
"""


@dataclass
class Served:
    """The servers: of one warehouse, of each chain, and the one that unites these."""

    one: Checkout
    chains: Mapping[str, Checkout]
    serving: Checkout
    environ: Mapping[str, str]

    def unite(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run the command in the serving project."""
        return self.serving.run("warehouse", "unite", *words, check=check, **self.environ)

    def ask(self, query: str, checkout: Checkout | None = None) -> list[tuple[Any, ...]]:
        """Ask the serving database, or another, as its reader."""
        with psycopg.connect((checkout or self.serving).url("bi_reader")) as connection:
            return connection.execute(query.encode()).fetchall()

    def plan(self, query: str) -> str:
        """How the serving database answers."""
        return "\n".join(line for (line,) in self.ask(f"explain (verbose, costs off) {query}"))


def world(name: str, chains: tuple[str, ...]) -> World:
    """The simulated days of MONTHS_END, of which some chains are loaded."""
    loaded = {**MONTHS_END.loaded, "TAP_BLOCKCHAIR_CHAINS": json.dumps(chains)}
    return World(f"unite-{name}", MONTHS_END.served, loaded, MONTHS_END.fill)


def project(folder: Path, checkout: Checkout) -> Checkout:
    """A project of nothing but a warehouse, which the programs of a checkout start."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meltano.yml").touch()
    made = Checkout(folder, {**checkout.environ, "MELTANO_PROJECT_ROOT": str(folder)})
    made.run("warehouse", "start")
    return made


@pytest.fixture(scope="module")
def served(checkout: Checkout, worlds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    base = tmp_path_factory.mktemp("unite")
    found = {}
    try:
        for name, chains in (*((chain, (chain,)) for chain in CHAINS), ("one", CHAINS)):
            fill_or_restore(checkout, world(name, chains), worlds)
            stop(checkout.root)
            (base / name).mkdir()
            shutil.move(checkout.root / ".state", base / name / ".state")
            wipe(checkout.root)
            copy_working_tree(checkout.root)  # which wiping has taken too
        for name in (*CHAINS, "one", "serving"):
            found[name] = project(base / name, checkout)
        environ = {"WAREHOUSE_CHAINS": ",".join(CHAINS)}
        for chain in CHAINS:
            variables, prefix = found[chain].variables(), f"WAREHOUSE_{chain.upper()}"
            environ[f"{prefix}_HOST"] = variables["LOCAL_WAREHOUSE_HOST"]
            environ[f"{prefix}_PORT"] = variables["LOCAL_WAREHOUSE_PORT"]
            environ[f"{prefix}_BI_READER_PASSWORD"] = variables["LOCAL_BI_READER_PASSWORD"]
        made = Served(found["one"], {chain: found[chain] for chain in CHAINS}, found["serving"], environ)
        made.unite()
        yield made
    finally:
        for each in found.values():
            each.run("warehouse", "stop", check=False)


def digests(checkout: Checkout) -> dict[str, tuple[int, str]]:
    """Rows and a digest of every mart, as the reader sees it."""
    found = {}
    with psycopg.connect(checkout.url("bi_reader")) as connection:
        for (name,) in connection.execute(TABLES).fetchall():
            row = connection.execute(
                "select count(*), md5(coalesce(string_agg(line, e'\\n' order by line collate \"C\"), ''))"  # noqa: S608
                f" from (select (to_jsonb(t) - %s::text[])::text as line from analytics.{name} as t) as lines".encode(),
                ([*RUN_TIME_COLUMNS, "loaded_at", *OF_A_LOAD.get(name, [])],),
            ).fetchone()
            assert row is not None
            found[name] = row
    return found


def test_every_table_equals_that_of_one_warehouse(served: Served) -> None:
    expected = digests(served.one)
    assert len(expected) > 70
    assert sum(rows > 0 for rows, _ in expected.values()) > 65
    assert digests(served.serving) == expected
    served.unite("--copy-daily")
    assert digests(served.serving) == expected
    served.unite("--no-copy-daily")
    assert served.unite("--check").stdout == ""


def test_columns_types_and_comments_are_those_that_power_bi_knows(served: Served) -> None:
    with (
        psycopg.connect(served.one.url("bi_reader")) as one,
        psycopg.connect(served.serving.url("bi_reader")) as united,
    ):
        names = [name for (name,) in one.execute(TABLES)]
        assert sum(name.startswith("bi_") for name in names) > 15
        assert united.execute(COLUMNS, (names,)).fetchall() == one.execute(COLUMNS, (names,)).fetchall()


@pytest.mark.parametrize("question", PAGES, ids=lambda question: question.words)
def test_a_question_about_a_chain_is_asked_of_its_server_alone(served: Served, question: Any) -> None:  # noqa: ANN401
    asked = question.mart
    for name, words in SAID.items():
        asked = asked.replace(f"{{{name}}}", words)
    asked = asked.format(month="2025-02-01", next_month="2025-03-01", day="2025-02-02")
    (chain,) = {chain for chain in CHAINS if f"'{chain}'" in asked}
    plan = served.plan(asked)
    remote = re.findall(r"Remote SQL: .*", plan)
    assert len(remote) == 1
    assert f"'{chain}'" in remote[0]
    for other in set(CHAINS) - {chain}:
        assert f"chain_{other}" not in plan
    assert sorted(served.ask(asked)) == sorted(served.ask(asked, served.one))


@pytest.mark.parametrize(
    ("table", "sums", "chains"),
    [
        ("fct_transactions", "count(*), sum(fee_base)", CHAINS),
        ("fct_blocks", "count(*), max(block_height)", CHAINS),
        # Ethereum has no outputs
        ("fct_transaction_outputs", "count(*), sum(value_base)", ("bitcoin", "dogecoin")),
    ],
)
def test_sums_of_chains_are_made_on_their_servers_at_once(
    served: Served, table: str, sums: str, chains: tuple[str, ...]
) -> None:
    asked = f"select chain, {sums} from {table} where chain in {chains} group by chain"  # noqa: S608
    plan = served.plan(asked)
    at_once = len(re.findall(r"Async Foreign Scan", plan))
    remote = re.findall(r"Remote SQL: SELECT chain, count\(\*\), .* GROUP BY 1", plan)
    assert at_once == len(chains), plan
    assert len(remote) == len(chains), plan
    assert sorted(served.ask(asked)) == sorted(served.ask(asked, served.one))


def test_a_server_that_is_killed_while_it_is_asked(served: Served) -> None:
    """What is asked of it fails by name, the others answer, and when it is back nothing has to be mended."""
    said: list[str] = []

    def ask() -> None:
        try:
            served.ask("select count(*) from fct_transactions where chain = 'bitcoin'")
        except psycopg.Error as error:
            said.append(str(error))

    asking = threading.Thread(target=ask)
    server = served.chains["bitcoin"]
    with psycopg.connect(server.url("admin")) as holder:
        holder.execute("lock table analytics.fct_transactions in access exclusive mode")
        asking.start()
        waiting = "select count(*) from pg_stat_activity where usename = 'bi_reader' and wait_event_type = 'Lock'"
        wait_for(lambda: server.sql(waiting, role="admin") == [(1,)], "the chain's server is asked", seconds=60)
        process = int((server.root / ".state/warehouse/data/postmaster.pid").read_text().splitlines()[0])
        os.kill(process, signal.SIGQUIT)
        asking.join(timeout=60)
        holder.close()
    assert said
    assert re.search(r"server|terminating|connection", said[0])
    with pytest.raises(psycopg.OperationalError, match='could not connect to server "chain_bitcoin"'):
        served.ask("select sum(fee_base) from fct_transactions")
    asked = "select chain, count(*) from fct_transactions where chain in ('ethereum', 'dogecoin') group by chain"
    assert sorted(served.ask(asked)) == sorted(served.ask(asked, served.one))
    checked = served.unite("--check", check=False)
    assert checked.returncode == 1
    assert checked.stdout.startswith("unreachable: bitcoin does not answer")
    ((reasons,),) = served.ask("select reasons from rpt_reconciliation where block_date is null")
    assert reasons.startswith("MISSING: bitcoin does not answer")
    server.run("warehouse", "start")
    whole = "select chain, count(*) from fct_transactions group by chain"
    assert sorted(served.ask(whole)) == sorted(served.ask(whole, served.one))
    assert served.unite("--check").stdout == ""


def test_a_build_goes_on_while_reports_read(served: Served, checkout: Checkout) -> None:
    server = served.chains["dogecoin"]
    asked = "select chain, count(*), sum(fee_total_base) from fct_network_daily group by chain order by chain"
    expected = served.ask(asked, served.one)
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                found = served.ask(asked)
            except psycopg.Error as error:
                wrong.append(str(error))
            else:
                if found != expected:
                    wrong.append(found)

    reading = threading.Thread(target=read)
    reading.start()
    try:
        built = ("run", "--full-refresh", "--select", "fct_network_daily", "bi_network_daily")
        checkout.run("meltano", "invoke", "dbt-postgres", *built, **server.variables())
    finally:
        done.set()
        reading.join()
    assert not wrong
    assert served.unite("--check").stdout == ""


def test_the_dashboard_shows_the_pages_of_one_warehouse(served: Served, tmp_path: Path) -> None:
    pages = []
    for name, checkout in (("one", served.one), ("serving", served.serving)):
        known = checkout.variables()
        environ = {
            "DASHBOARD_WAREHOUSE_HOST": known["LOCAL_WAREHOUSE_HOST"],
            "DASHBOARD_WAREHOUSE_PORT": known["LOCAL_WAREHOUSE_PORT"],
            "DASHBOARD_WAREHOUSE_DATABASE": known["LOCAL_WAREHOUSE_DB"],
            "DASHBOARD_WAREHOUSE_PASSWORD": known["LOCAL_BI_READER_PASSWORD"],
        }
        done = subprocess.run(
            [sys.executable, "-m", "dashboard", "export", "--output", str(tmp_path / name)],
            env={**checkout.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        texts = {path.name: path.read_text() for path in sorted((tmp_path / name).rglob("*")) if path.is_file()}
        # sums of floats differ in their last digits, since servers add in another order
        pages.append({page: re.sub(r"(\d\.\d{9})\d+", r"\1", text) for page, text in texts.items()})
    assert len(pages[0]) > 8
    assert pages[1] == pages[0]


def test_health_names_the_chain_that_is_missing(served: Served, checkout: Checkout) -> None:
    server = served.chains["ethereum"]
    variables = served.serving.variables()
    own = served.serving.own_database("crypto")
    assert variables["LOCAL_WAREHOUSE_PORT"] == own["WAREHOUSE_PORT"]
    health = ("crypto-elt", "health", "--environment=dev", "--no-scheduler")
    assert "well: the warehouses of bitcoin, dogecoin, ethereum answered" in checkout.run(*health, **own).stdout
    server.run("warehouse", "stop")
    try:
        served.unite("--check", check=False)
        assert "ethereum is missing: ethereum does not answer" in checkout.fails(*health, **own)
    finally:
        server.run("warehouse", "start")
    assert served.unite("--check").stdout == ""
    assert "well: " in checkout.run(*health, **own).stdout


def test_the_dashboard_says_which_chain_it_lacks(served: Served, tmp_path: Path) -> None:
    known = served.serving.variables()
    environ = {
        **served.serving.environ,
        "DASHBOARD_WAREHOUSE_HOST": known["LOCAL_WAREHOUSE_HOST"],
        "DASHBOARD_WAREHOUSE_PORT": known["LOCAL_WAREHOUSE_PORT"],
        "DASHBOARD_WAREHOUSE_DATABASE": known["LOCAL_WAREHOUSE_DB"],
        "DASHBOARD_WAREHOUSE_PASSWORD": known["LOCAL_BI_READER_PASSWORD"],
    }
    export = [sys.executable, "-m", "dashboard", "export", "--output", str(tmp_path)]
    served.chains["dogecoin"].run("warehouse", "stop")
    try:
        done = subprocess.run(export, env=environ, capture_output=True, text=True, check=False)
    finally:
        served.chains["dogecoin"].run("warehouse", "start")
    assert done.returncode == 1
    assert 'a chain does not answer (could not connect to server "chain_dogecoin")' in done.stderr
    assert subprocess.run(export, env=environ, capture_output=True, check=False).returncode == 0
