"""The environments for live data, against a PostgreSQL of one's own: here a second database of the embedded server."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from checkout import RUN_TIME_COLUMNS, Checkout
from worlds import LOADS, MONTHS_END, World

pytestmark = pytest.mark.long(part="other-projects")

LIVE_DATABASE = "elsewhere"
PREFIX = "second_"
MODEL = "stg_blockchair__utxo_blocks"
# What a database of one's own may say, and what would change what is stored or built if it were inherited.
SETTINGS = {
    "array_nulls": "off",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "DateStyle": "SQL, DMY",
    "default_transaction_read_only": "on",
    "extra_float_digits": "-15",
    "IntervalStyle": "iso_8601",
    "quote_all_identifiers": "on",
    "standard_conforming_strings": "off",
    "TimeZone": "America/New_York",
    "transform_null_equals": "on",
}


@pytest.fixture(scope="module")
def messages(filled: Callable[[World], Checkout], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tap's messages, kept in a file; its rows stand in for live ones, which no test may fetch."""
    checkout = filled(MONTHS_END)
    path = tmp_path_factory.mktemp("messages") / "tap.jsonl"
    path.write_text(checkout.run("meltano", "invoke", "tap-blockchair", TAP_BLOCKCHAIR__SELECT='["*_blocks.*"]').stdout)
    assert '"BATCH"' in path.read_text()
    return path


@pytest.fixture(scope="module")
def live(checkout: Checkout, messages: Path) -> Checkout:
    """The checkout with an `.env` that names a PostgreSQL of one's own, made ready by the documented steps."""
    checkout.make("env")
    env_file = checkout.root / ".env"
    # A second deployment on the embedded server, whose roles `local` uses: with roles and passwords of its own.
    named = checkout.own_database(LIVE_DATABASE) | {"WAREHOUSE_ROLE_PREFIX": PREFIX}
    named |= {name: f"of-{PREFIX}{name}" for name in named if name.endswith("_PASSWORD") and "ADMIN" not in name}
    lines = [line for line in env_file.read_text().splitlines() if line.split("=")[0] not in named]
    env_file.write_text("\n".join([*lines, *(f"{name}={value}" for name, value in named.items())]) + "\n")
    checkout.run("warehouse", "init", "--environment=prod")
    commands = [
        f"alter role {PREFIX}{role} in database {LIVE_DATABASE} set {name} to '{value}'"
        for role in ("loader", "transformer")
        for name, value in SETTINGS.items()
    ]
    checkout.sql_do("; ".join(commands), role="admin")
    return checkout


def of_blocks(url: str) -> list[tuple[object, ...]]:
    """Rows and digests of blocks, as loaded and as the models read them, load times left out."""
    settings = "-c TimeZone=UTC -c DateStyle=ISO,MDY -c extra_float_digits=1 -c client_encoding=UTF8"
    with psycopg.connect(url, options=settings, client_encoding="UTF8") as connection:
        return [
            connection.execute(
                "select count(*), md5(string_agg(line, '' order by line collate \"C\")) from ("  # noqa: S608
                f"select (to_jsonb(held) - %s::text[])::text as line from {table} as held) as lines",
                (list(RUN_TIME_COLUMNS),),
            ).fetchall()[0]
            for table in ("raw_data.bitcoin_blocks", "raw_data.ethereum_blocks", f"staging.{MODEL}")
        ]


def live_url(live: Checkout) -> str:
    """Connection URL of the deployment that `.env` names."""
    return live.run("warehouse", "url", "--environment=prod", "--role", "transformer").stdout.strip()


def test_prod_loads_and_models_where_env_says(live: Checkout, messages: Path) -> None:
    before = live.tables()
    live.run("sh", "-c", f"meltano --environment=prod invoke target-postgres < {messages} > /dev/null")
    live.run("meltano", "--environment=prod", "invoke", "dbt-postgres:build")
    asked = "select origin, (select count(*) from analytics.fct_blocks) from raw_data.warehouse_origin"
    psql = ("warehouse", "psql", "--environment=prod", "--role", "transformer", "-Atc", asked)
    assert live.run(*psql).stdout.strip() == f"live|{3 * 9 * 24}"
    assert live.tables() == before, "the local warehouse was touched"
    assert of_blocks(live_url(live)) == of_blocks(live.url("transformer"))
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        of_blocks(live.url("transformer").replace("/crypto", f"/{LIVE_DATABASE}"))


def test_the_summary_is_of_the_environment_that_is_named(live: Checkout) -> None:
    said = live.run("crypto-elt", "summary", "--environment=prod").stdout
    assert re.search(r"^bitcoin_blocks +216 +2025-01-28 to 2025-02-05", said, re.MULTILINE)
    assert "block header hash, bitcoin: 216 verified" in said
    assert "make run" not in said
    silent = live.fails("crypto-elt", "summary", "--environment=prod", WAREHOUSE_PORT="1")
    assert "`crypto-elt doctor --environment=prod` says why" in silent


def test_dbt_by_itself_refuses_the_database_s_settings(live: Checkout) -> None:
    login = urlsplit(live_url(live))
    connection = {"HOST": login.hostname, "PORT": login.port, "USER": login.username, "DBNAME": LIVE_DATABASE}
    variables = {f"DBT_{name}": str(value) for name, value in connection.items()}
    dbt = str(live.root / ".meltano/utilities/dbt-postgres/venv/bin/dbt")
    run = (dbt, "run", "--project-dir", "transform", "--profiles-dir", "transform", "--select", MODEL)
    output = live.fails(*run, DBT_PASSWORD=unquote(str(login.password)), **variables)
    assert "array_nulls is off, not on" in output
    assert "TimeZone is America/New_York, not UTC" in output


def test_prod_asks_for_what_a_first_live_run_should_take(live: Checkout) -> None:
    catalog = live.run("meltano", "--environment=prod", "config", "print", "tap-blockchair").stdout
    assert '"data_origin": "live"' in catalog
    assert '"api_url"' not in catalog, "the tap's own default is the live address"
    listed = live.run("meltano", "--environment=prod", "select", "tap-blockchair", "--list", check=False).stdout
    assert "simulator" not in catalog
    assert "LOCAL_" not in listed


def test_the_commands_for_live_data_parse(live: Checkout) -> None:
    live.run("meltano", "--environment=prod", "run", "--dry-run", *LOADS, "dbt-postgres:build")


def test_doctor_tries_what_the_environment_uses(live: Checkout) -> None:
    """Sources at the addresses that variables name, and each login; a refusal says what to do about it."""
    live.run("simulator", "start", "--restart", SIMULATOR_API_KEYS="good", SIMULATOR_COINGECKO_KEYS="CG-good:demo")
    url = live.simulator()
    sources = {"TAP_BLOCKCHAIR_API_URL": f"{url}/blockchair", "TAP_BLOCKCHAIR_DUMPS_URL": f"{url}/dumps"}
    sources |= {"TAP_COINGECKO_API_URL": f"{url}/coingecko/api/v3", "COINGECKO_PLAN": "demo"}
    keys = {"BLOCKCHAIR_API_KEY": "good", "COINGECKO_API_KEY": "CG-good"}
    doctor = ("crypto-elt", "doctor", "--environment=prod")
    said = live.run(*doctor, **sources, **keys).stdout
    assert f"{url} answers" in said
    assert "BLOCKCHAIR_API_KEY is accepted" in said
    assert "COINGECKO_API_KEY is accepted" in said
    for role in (*(f"{PREFIX}{role}" for role in ("loader", "transformer", "bi_reader")), "postgres"):
        assert f"✓ {role} logs in" in said
    wrong = {"BLOCKCHAIR_API_KEY": "bad", "COINGECKO_API_KEY": "CG-bad", "WAREHOUSE_LOADER_PASSWORD": "no-such"}
    said = live.fails(*doctor, **sources, **wrong)
    assert "BLOCKCHAIR_API_KEY is refused (HTTP 402: This key is unknown): correct it in .env" in said
    assert "COINGECKO_API_KEY is refused (HTTP 401" in said
    assert "the password of second_loader is refused" in said
    assert "correct WAREHOUSE_LOADER_PASSWORD in .env, or run `warehouse init --environment=prod`" in said
    assert said.count("✗") == 3
    assert "no-such" not in said
    nobody = live.fails(*doctor, **sources, **keys, WAREHOUSE_PORT="1")
    assert nobody.count("does not answer") == nobody.count("✗") == 1
    assert "Connection refused" in nobody
    assert "check WAREHOUSE_HOST and WAREHOUSE_PORT in .env" in nobody


def test_an_empty_host_is_named_by_every_command(live: Checkout) -> None:
    for command in (
        "crypto-elt doctor --environment=prod",
        "warehouse init --environment=prod",
        "warehouse status --environment=prod",
        "warehouse url --environment=prod",
        "meltano --environment=prod invoke dbt-postgres:run",
        'echo \'{"type": "STATE", "value": {}}\' | meltano --environment=prod invoke target-postgres',
    ):
        said = live.fails("sh", "-c", command, WAREHOUSE_HOST="")
        assert "WAREHOUSE_HOST" in said, command
