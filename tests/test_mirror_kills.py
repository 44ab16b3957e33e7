"""A mirror that is killed while its chain is reorganised over midnight gives the marts of an undisturbed one."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import node_clients
from checkout import Checkout
from node_clients import NOON, Client, Miner, pay

pytestmark = pytest.mark.long(part="kills")

STEP = 1500
MIDNIGHT = 144
"""The block at midnight, which is the first of 2024-03-04."""
DEPTH = 7
LOADED = {
    "TAP_BLOCKCHAIR_CHAINS": '["bitcoin"]',
    "TAP_BLOCKCHAIR_CHANNEL": "dumps",
    "TAP_BLOCKCHAIR_START_DATE": "2009-01-01",
    "TAP_BLOCKCHAIR__SELECT": '["*.*"]',
}


def mirror(client: Client, name: str, *, kill_after: float | None = None) -> int:
    """Mirror all blocks, killed after some seconds; returns the program's status."""
    command = [sys.executable, "-m", "mirror_node", "run", "--chain=bitcoin", "--parallel-requests=1", "--finality=0"]
    command += [f"--rpc-url=http://user@127.0.0.1:{client.port}", f"--mirror-dir={client.folder / name}"]
    command += [f"--state-dir={client.folder / f'{name}-state'}", "--commit-blocks=2"]
    process = subprocess.Popen(
        command, env={**os.environ, "MIRROR_NODE_RPC_PASSWORD": client.password}, stderr=subprocess.DEVNULL
    )
    if kill_after is not None:
        time.sleep(kill_after)
        process.kill()
    return process.wait(timeout=120)


def mirror_with_kills(client: Client, kills: int, lasts: float) -> None:
    """Kill the mirror so often while it is at work, then let it end; one that ended before begins anew."""
    chances = random.Random(7)  # noqa: S311
    names = ("mirror", "mirror-state")
    saved = client.folder / f"saved-{time.monotonic()}"
    for name in names:
        (client.folder / name).mkdir(exist_ok=True)
        shutil.copytree(client.folder / name, saved / name)
    killed = 0
    while killed < kills:
        if mirror(client, "mirror", kill_after=chances.uniform(0.1, 0.7) * lasts) == -9:
            killed += 1
            continue
        for name in names:
            shutil.rmtree(client.folder / name)
            shutil.copytree(saved / name, client.folder / name)
    assert mirror(client, "mirror") == 0


def files(client: Client, name: str) -> dict[str, bytes]:
    """What is published, by name."""
    return {path.name: path.read_bytes() for path in sorted((client.folder / name).rglob("*.tsv.gz"))}


def warehouse(checkout: Checkout, name: str) -> Checkout:
    """An empty live warehouse in a database of its own."""
    named = checkout.own_database(name) | {"PGSSLMODE": "prefer", "WAREHOUSE_SSLMODE": "prefer"}
    live = Checkout(checkout.root, checkout.environ | named | {"MELTANO_ENVIRONMENT": "prod"})
    live.run("warehouse", "init")
    return live


def load(live: Checkout, folder: Path) -> None:
    """Load the files of a folder and build."""
    database = live.environ["WAREHOUSE_DB"]
    live.run(
        *("meltano", "run", f"--state-id-suffix={database}", "tap-blockchair", "target-postgres"),
        **LOADED | {"TAP_BLOCKCHAIR_DUMPS_URL": folder.as_uri()},
    )
    live.run("meltano", "run", "dbt-postgres:build")


def test_kills_and_a_reorganisation_leave_the_files_and_marts_of_an_undisturbed_run(
    checkout: Checkout, tmp_path: Path
) -> None:
    checkout.run("warehouse", "start")
    with contextmanager(node_clients.sv)(tmp_path / "sv") as client:
        miner = Miner(client, client("getnewaddress"))
        miner.mine(MIDNIGHT - 8, STEP)
        pay(client, miner, [[]])
        miner.mine(MIDNIGHT + 5 - client("getblockcount"), STEP)
        assert miner.now == NOON + (MIDNIGHT + 5) * STEP
        begun = time.monotonic()
        assert mirror(client, "first") == 0
        lasts = time.monotonic() - begun
        mirror_with_kills(client, 10, lasts)
        before = files(client, "mirror")
        assert before == files(client, "first")
        assert any("20240303" in name for name in before)
        live = warehouse(checkout, "disturbed")
        load(live, client.folder / "mirror")

        client("invalidateblock", client("getblockhash", client("getblockcount") - DEPTH + 1))
        assert client("getblockcount") == MIDNIGHT - 2
        miner = Miner(client, client("getnewaddress"))
        miner.now = NOON + (MIDNIGHT - 2) * STEP
        miner.mine(70, STEP - 100)
        mirror_with_kills(client, 10, lasts / 2)
        assert mirror(client, "undisturbed") == 0
        after = files(client, "mirror")
        assert after == files(client, "undisturbed")
        assert {name[-15:-7] for name in after if before.get(name) != after[name]} == {"20240303", "20240304"}
        load(live, client.folder / "mirror")

        fresh = warehouse(checkout, "fresh")
        load(fresh, client.folder / "undisturbed")
    assert live.tables() == fresh.tables()
