"""singer-check-tap, a program older than this project, reads every stream and finds nothing to complain of."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from checkout import BASE_PYTHON, Checkout
from sources import get

pytestmark = pytest.mark.long(part="compatibility")
TAP = "tap-blockchair--records"
PREFIX = TAP.replace("-", "_").upper()
UTXO = ("blocks", "transactions", "outputs", "inputs", "addresses")
STREAMS = {
    "bitcoin": UTXO,
    "dogecoin": UTXO,
    "ethereum": ("blocks", "transactions", "calls", "uncles", "erc20_transactions", "erc20_tokens", "addresses"),
}
# Where the source has a table under another name.
PATHS = {"erc20_transactions": "erc-20/transactions", "erc20_tokens": "erc-20/tokens"}
WORLD = ("--days", "2", "--blocks-per-day", "8", "--transactions-per-block", "4", "--ethereum-era", "london")
SETTINGS = {
    "LATEST_ADDRESSES": "true",
    "REQUESTS_PER_MINUTE": "100000",
    "POINTS_PER_DAY": "10000000",
    "_SELECT": '["*.*"]',
}
TABLE_ROW = re.compile(r"^\| (\w+) +\| (\d+) +\| (\d+) +\|$", re.MULTILINE)


@pytest.fixture(scope="module")
def ready(checkout: Checkout) -> Checkout:
    """The checkout with the tap, the checker and a small simulated world, as a person would set them up."""
    checkout.run(BASE_PYTHON, "plugins/console/bootstrap.py")
    checkout.run("simulator", "start", *WORLD)
    checkout.run("meltano", "install", TAP, "singer-tools")
    return checkout


def rows_in_dumps(url: str, chain: str, table: str) -> int:
    """Count the rows of every file that a table has on the dump host."""
    folder = f"{url}/dumps/{chain}/{PATHS.get(table, table)}/"
    names = set(re.findall(r'href="([^"/]+\.tsv\.gz)"', get(folder).decode()))
    return sum(gzip.decompress(get(folder + name)).count(b"\n") for name in names)


def rows_in_api(url: str, chain: str, table: str) -> int:
    """Ask the API how many rows a table has; inputs are the spent side of outputs."""
    if table == "stats":
        return 1
    place, query = PATHS.get(table, table), "?limit=1"
    if table == "inputs":
        place, query = "outputs", "?limit=1&q=spending_block_id(0..)"
    total: int = json.loads(get(f"{url}/blockchair/{chain}/{place}{query}"))["context"]["total_rows"]
    return min(total, 100) if table == "addresses" else total


def checked(ready: Checkout, tap: str, folder: Path, variables: dict[str, str]) -> dict[str, int]:
    """Rows by stream of what a tap says, which the checker finds valid and counts as they are."""
    said = folder / "messages.jsonl"
    pipe = f"meltano invoke {tap} | tee {said} | meltano invoke singer-tools"
    done = ready.run("bash", "-o", "pipefail", "-c", pipe, **variables)
    assert "The output is valid." in done.stdout
    table = {name: int(records) for name, records, _ in TABLE_ROW.findall(done.stdout)}
    messages = [json.loads(line) for line in said.read_text().splitlines()]
    assert table == Counter(message["stream"] for message in messages if message["type"] == "RECORD")
    return table


@pytest.mark.parametrize("channel", ["dumps", "api"])
def test_every_stream_is_valid_and_complete(ready: Checkout, channel: str, tmp_path: Path) -> None:
    variables = {"CHANNEL": channel, **SETTINGS}
    table = checked(ready, TAP, tmp_path, {f"{PREFIX}_{name}": value for name, value in variables.items()})
    url, count = ready.simulator(), rows_in_dumps if channel == "dumps" else rows_in_api
    tables = {chain: names + (("stats",) if channel == "api" else ()) for chain, names in STREAMS.items()}
    expected = {f"{chain}_{name}": count(url, chain, name) for chain, names in tables.items() for name in names}
    assert table == expected
    assert min(table.values()) > 0


SCHEMA = {"type": "SCHEMA", "stream": "s", "key_properties": ["id"]}
PROPERTIES = {"id": {"type": "integer"}, "time": {"type": "string", "format": "date-time"}}
GOOD = {"type": "RECORD", "stream": "s", "record": {"id": 1, "time": "2025-01-01T00:00:00+00:00"}}


@pytest.mark.parametrize(
    ("record", "valid"),
    [
        ({}, True),
        ({"record": {"id": "one", "time": "2025-01-01T00:00:00+00:00"}}, False),
        ({"record": {"id": 1, "time": "2025-01-01 00:00:00"}}, False),
        ({"stream": "unannounced"}, False),
    ],
)
def test_the_checker_refuses_what_is_broken(ready: Checkout, record: dict[str, object], valid: bool) -> None:  # noqa: FBT001
    schema = {**SCHEMA, "schema": {"type": "object", "properties": PROPERTIES}}
    lines = "\n".join(json.dumps(message) for message in (schema, {**GOOD, **record}))
    # The program that the utility runs, without Meltano's two seconds around it.
    check = ".meltano/utilities/singer-tools/venv/bin/singer-check-tap"
    done = ready.run("sh", "-c", f"echo '{lines}' | {check}", check=False)
    assert (done.returncode == 0) == valid, done.stdout + done.stderr


COINGECKO = {"REQUESTS_PER_MINUTE": "100000", "GRANULARITIES": '["daily", "hourly"]', "VS_CURRENCIES": '["usd", "eur"]'}
PAID = {"PLAN": "analyst", "API_KEY": "CG-any"}


@pytest.mark.parametrize("plan", [{}, PAID], ids=["keyless", "analyst"])
def test_every_coingecko_stream_is_valid(ready: Checkout, plan: dict[str, str], tmp_path: Path) -> None:
    ready.run("meltano", "install", "tap-coingecko")
    variables = {f"TAP_COINGECKO_{name}": value for name, value in {**COINGECKO, **plan}.items()}
    table = checked(ready, "tap-coingecko", tmp_path, variables)
    assert len(table) == 11
    assert min(table.values()) > 0
