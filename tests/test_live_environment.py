"""The environments for live data, against a PostgreSQL of one's own: here a second database of the embedded server."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from checkout import Checkout
from worlds import MONTHS_END, World

LIVE_DATABASE = "elsewhere"


@pytest.fixture(scope="module")
def messages(filled: Callable[[World], Checkout], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a tap says, kept in a file; its rows stand in for live ones, which no test may fetch."""
    checkout = filled(MONTHS_END)
    said = tmp_path_factory.mktemp("messages") / "tap.jsonl"
    said.write_text(checkout.run("meltano", "invoke", "tap-blockchair", TAP_BLOCKCHAIR__SELECT='["*_blocks.*"]').stdout)
    assert '"BATCH"' in said.read_text()
    return said


@pytest.fixture(scope="module")
def live(checkout: Checkout, messages: Path) -> Checkout:
    """The checkout with an `.env` that names a PostgreSQL of one's own, made ready by the documented steps."""
    admin = urlsplit(checkout.url("admin"))
    checkout.make("env")
    env_file = checkout.root / ".env"
    named = {
        "WAREHOUSE_HOST": str(admin.hostname),
        "WAREHOUSE_PORT": str(admin.port),
        "WAREHOUSE_DB": LIVE_DATABASE,
        "WAREHOUSE_ADMIN_USER": str(admin.username),
        "WAREHOUSE_ADMIN_PASSWORD": unquote(str(admin.password)),
    }
    lines = [line for line in env_file.read_text().splitlines() if line.split("=")[0] not in named]
    # The roles are the embedded server's own, so they keep the passwords that `local` knows.
    local = {line.split("=", 1)[0]: line.split("=", 1)[1] for line in lines if line.startswith("LOCAL_")}
    for role in ("LOADER", "TRANSFORMER", "BI_READER"):
        lines = [line for line in lines if not line.startswith(f"WAREHOUSE_{role}_PASSWORD")]
        named[f"WAREHOUSE_{role}_PASSWORD"] = local[f"LOCAL_{role}_PASSWORD"]
    env_file.write_text("\n".join([*lines, *(f"{name}={value}" for name, value in named.items())]) + "\n")
    checkout.run("warehouse", "init", "--environment=prod")
    return checkout


def load(checkout: Checkout, messages: Path) -> "subprocess.CompletedProcess[str]":
    return checkout.run(
        "sh", "-c", f"meltano --environment=prod invoke target-postgres < {messages} > /dev/null", check=False
    )


def test_prod_loads_and_models_where_env_says(live: Checkout, messages: Path) -> None:
    before = live.tables()
    done = load(live, messages)
    assert done.returncode == 0, done.stderr
    live.run("meltano", "--environment=prod", "invoke", "dbt-postgres:build")
    asked = "select origin, (select count(*) from analytics.fct_blocks) from raw_data.warehouse_origin"
    psql = ("warehouse", "psql", "--environment=prod", "--role", "transformer", "-Atc", asked)
    assert live.run(*psql).stdout.strip() == f"live|{3 * 9 * 24}"
    assert live.tables() == before, "the local warehouse was touched"


def test_prod_asks_for_what_a_first_live_run_should_take(live: Checkout) -> None:
    catalog = live.run("meltano", "--environment=prod", "config", "print", "tap-blockchair").stdout
    assert '"data_origin": "live"' in catalog
    assert '"api_url"' not in catalog, "the tap's own default is the live address"
    listed = live.run("meltano", "--environment=prod", "select", "tap-blockchair", "--list", check=False).stdout
    assert "simulator" not in catalog
    assert "LOCAL_" not in listed


def test_the_commands_for_live_data_parse(live: Checkout) -> None:
    blocks = ("tap-coingecko", "target-postgres", "tap-blockchair", "target-postgres", "dbt-postgres:build")
    live.run("meltano", "--environment=prod", "run", "--dry-run", *blocks)


def test_doctor_names_a_role_that_cannot_log_in(live: Checkout) -> None:
    code = (
        "from console.doctor import roles; from dotenv import dotenv_values;"
        "v = dict(dotenv_values('.env')); v['WAREHOUSE_LOADER_PASSWORD'] = 'wrong';"
        "print([(f.state, f.text) for f in roles(v, 'warehouse init')])"
    )
    said = live.run(".venv/bin/python", "-c", code).stdout
    assert said.count("('ok'") == 2
    assert "role loader cannot log in" in said
    assert "wrong'" not in said.split("password")[-1]
