"""Fixtures: the real samples, and a node that serves a made chain over JSON-RPC on loopback.

The chain is encoded here by itself, so that a mistake in reading blocks is not made again in writing them.
"""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

PROJECT = Path(__file__).resolve().parents[3]
COIN = 10**8
EASY = 0x207FFFFF


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real samples."""
    folder = Path(os.environ.get("SAMPLES_DIR") or PROJECT.parent / "shared" / "samples")
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"no samples at {folder}, and CI must run these tests")
        pytest.skip(f"no samples at {folder}: set SAMPLES_DIR")
    return folder


def twice(data: bytes) -> bytes:
    """The hash of blocks and transactions."""
    return sha256(sha256(data).digest()).digest()


def size_of(number: int) -> bytes:
    """A count as blocks write it."""
    return bytes([number]) if number < 253 else b"\xfd" + struct.pack("<H", number)


@dataclass
class Coin:
    """An output that can be spent."""

    txid: bytes
    index: int
    value: int
    script: bytes
    height: int
    is_generated: bool


@dataclass
class Made:
    """A transaction: its bytes without witness, and what it spends and makes."""

    raw: bytes
    spends: list[Coin]
    outputs: list[tuple[int, bytes]]

    @property
    def txid(self) -> bytes:
        return twice(self.raw)


def transaction(spends: list[Coin], outputs: list[tuple[int, bytes]], script: bytes = b"\x01\x01") -> Made:
    """Write a transaction; one that spends nothing is a coinbase with a script."""
    inputs = [coin.txid + struct.pack("<I", coin.index) for coin in spends] or [bytes(32) + b"\xff" * 4]
    raw = struct.pack("<i", 1) + size_of(len(inputs))
    raw += b"".join(each + size_of(len(script)) + script + b"\xff" * 4 for each in inputs)
    raw += size_of(len(outputs))
    raw += b"".join(struct.pack("<Q", value) + size_of(len(to)) + to for value, to in outputs)
    return Made(raw + bytes(4), spends, outputs)


def pays(number: int) -> bytes:
    """A script that pays a hash of its own."""
    return b"\x76\xa9\x14" + number.to_bytes(20, "big") + b"\x88\xac"


@dataclass
class MadeBlock:
    """A block of the made chain."""

    height: int
    time: int
    median: int
    parent: bytes
    transactions: list[Made]
    raw: bytes = b""
    hash: str = ""
    root: bytes = b""


class MadeChain:
    """A chain that grows block by block; its coins can be spent by later blocks."""

    def __init__(self, subsidy: int = 50 * COIN) -> None:
        self.subsidy = subsidy
        self.blocks: list[MadeBlock] = []
        self.coins: list[Coin] = []
        self.salt = 0

    def mine(self, time: int, payments: int = 0, fee: int = 1000) -> MadeBlock:
        """Add a block in which so many coins are spent, each into two and a note."""
        height = len(self.blocks)
        fees, made = 0, []
        for _ in range(min(payments, len(self.coins))):
            # an old one, and one just made
            rich = [at for at, coin in enumerate(self.coins) if coin.value > 10 * fee]
            coin = self.coins.pop(rich[0 if len(made) % 2 else -1])
            half = (coin.value - fee) // 2
            outputs = [(half, pays(height * 1000 + len(made))), (coin.value - fee - half, pays(7))]
            made.append(transaction([coin], [*outputs, (0, b"\x6a\x04note")]))
            fees += fee
        self.salt += 1
        tag = struct.pack("<IIB", height, self.salt, 4)
        coinbase = transaction([], [(self.subsidy + fees, pays(height))], bytes([len(tag)]) + tag)
        return self.add(time, [coinbase, *made])

    def add(self, time: int, transactions: list[Made]) -> MadeBlock:
        height = len(self.blocks)
        parent = bytes.fromhex(self.blocks[-1].hash)[::-1] if self.blocks else bytes(32)
        times = [block.time for block in self.blocks[-10:]] + [time]
        # bitcoind takes the upper of the two in the middle
        median = sorted(times)[len(times) // 2]
        level = [each.txid for each in transactions]
        while len(level) > 1:
            level += level[-1:] * (len(level) % 2)
            level = [twice(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
        block = MadeBlock(height, time, median, parent, transactions, root=level[0])
        header = struct.pack("<i32s32sIII", 0x20000000, parent, level[0], time, EASY, self.salt)
        block.hash = twice(header)[::-1].hex()
        block.raw = header + size_of(len(transactions)) + b"".join(each.raw for each in transactions)
        self.blocks.append(block)
        for position, each in enumerate(transactions):
            for index, (value, script) in enumerate(each.outputs):
                if value:
                    self.coins.append(Coin(each.txid, index, value, script, height, not position))
        return block

    def cut(self, height: int) -> None:
        """Forget all blocks above a height, and what they spent."""
        self.blocks = self.blocks[: height + 1]
        spent = {
            (coin.txid, coin.index) for block in self.blocks for each in block.transactions for coin in each.spends
        }
        self.coins = [
            Coin(each.txid, index, value, script, block.height, not position)
            for block in self.blocks
            for position, each in enumerate(block.transactions)
            for index, (value, script) in enumerate(each.outputs)
            if value and (each.txid, index) not in spent
        ]


def coins_text(value: int) -> str:
    """An amount as bitcoind prints it."""
    return f"{value // COIN}.{value % COIN:08d}"


class FakeNode:
    """A node of one of the kinds, which serves a made chain.

    Attributes:
        change: Gets the name of a method and its result, and gives what is answered.
        asked: Number of requests so far; `on_request` is called with it.
    """

    def __init__(self, chain: MadeChain, subversion: str, version: int, network: str = "regtest") -> None:
        self.chain, self.subversion, self.version, self.network = chain, subversion, version, network
        self.change: Callable[[str, Any], Any] = lambda _method, result: result
        self.on_request: Callable[[int], None] = lambda _count: None
        self.asked = 0
        self.authorizations: list[str] = []

    def block(self, name: str) -> MadeBlock:
        return next(block for block in self.chain.blocks if block.hash == name)

    def getnetworkinfo(self) -> Any:
        return {"version": self.version, "subversion": self.subversion}

    def getblockchaininfo(self) -> Any:
        return {"chain": self.network, "blocks": len(self.chain.blocks) - 1, "pruned": False}

    def getblockhash(self, height: int) -> Any:
        if height >= len(self.chain.blocks):
            raise LookupError
        return self.chain.blocks[height].hash

    def getblockheader(self, name: str, verbose: bool = True) -> Any:  # noqa: FBT002 (as the node has it)
        block = self.block(name)
        return self._facts(block) if verbose else block.raw[:80].hex()

    def getblock(self, name: str, verbosity: int | bool) -> Any:
        block = self.block(name)
        if verbosity is False or verbosity == 0:
            return block.raw.hex()
        facts = self._facts(block)
        if verbosity is True or verbosity == 1:
            return {**facts, "tx": [each.txid[::-1].hex() for each in block.transactions]}
        return {**facts, "tx": [self._whole(each) for each in block.transactions]}

    def _facts(self, block: MadeBlock) -> dict[str, Any]:
        return {
            "hash": block.hash,
            "height": block.height,
            "version": 0x20000000,
            "merkleroot": block.root[::-1].hex(),
            "time": block.time,
            "mediantime": block.median,
            "nonce": struct.unpack_from("<I", block.raw, 76)[0],
            "bits": f"{EASY:08x}",
            "difficulty": 4.656542373906925e-10,
            "chainwork": f"{2 * (block.height + 1):064x}",
            **({"previousblockhash": block.parent[::-1].hex()} if block.height else {}),
        }

    def _whole(self, each: Made) -> dict[str, Any]:
        inputs: list[Any] = [
            {
                "prevout": {
                    "generated": coin.is_generated,
                    "height": coin.height,
                    "value": f"@{coins_text(coin.value)}@",
                    "scriptPubKey": {"hex": coin.script.hex()},
                }
            }
            for coin in each.spends
        ]
        fee = sum(coin.value for coin in each.spends) - sum(value for value, _ in each.outputs)
        more = {"fee": f"@{coins_text(fee)}@"} if each.spends else {}
        return {"hex": each.raw.hex(), "vin": inputs or [{"coinbase": ""}], **more}

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        try:
            result = self.change(call["method"], getattr(self, call["method"])(*call["params"]))
        except LookupError:
            return {"result": None, "error": {"code": -8, "message": "Block height out of range"}, "id": call["id"]}
        return {"result": result, "error": None, "id": call["id"]}


@dataclass
class Served:
    """A node at work, and the mirror of it."""

    node: FakeNode
    port: int
    folder: Path
    chain: str
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def mirror(self) -> Path:
        return self.folder / "mirror"

    def command(self, *words: str) -> list[str]:
        return [
            *(sys.executable, "-m", "mirror_node", *words, f"--chain={self.chain}"),
            *(f"--rpc-url=http://user@127.0.0.1:{self.port}", f"--mirror-dir={self.mirror}"),
            *(f"--state-dir={self.folder / 'state'}", "--parallel-requests=1"),
        ]

    def start(self, *words: str) -> subprocess.Popen[str]:
        environ = {**os.environ, "MIRROR_NODE_RPC_PASSWORD": "a-secret-word", **self.environ}
        return subprocess.Popen(
            self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
        )

    def run(self, *words: str, status: int = 0) -> str:
        """Run the mirror; gives what it said."""
        process = self.start(*words)
        out, said = process.communicate(timeout=120)
        assert process.returncode == status, said
        assert "a-secret-word" not in out + said
        return out + said

    def files(self) -> dict[str, bytes]:
        """What is published, unpacked, by name."""
        paths = sorted(self.mirror.rglob("*.tsv.gz"))
        return {path.name: gzip.decompress(path.read_bytes()) for path in paths}

    def rows(self, table: str) -> list[dict[str, str]]:
        """All published rows of a table."""
        found = []
        for path in sorted((self.mirror / self.chain / table).glob("*.tsv.gz")):
            head, *lines = gzip.decompress(path.read_bytes()).decode().split("\n")
            found += [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
        return found


def _unquoted(answer: Any) -> bytes:
    """JSON in which amounts are numbers with all their decimals."""
    return json.dumps(answer).replace('"@', "").replace('@"', "").encode()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serves a node on a free port."""
    servers = []

    def start(node: FakeNode, chain: str = "bitcoin", name: str = "one") -> Served:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                node.authorizations.append(self.headers.get("Authorization", ""))
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                node.asked += 1
                node.on_request(node.asked)
                one = isinstance(asked, dict)
                body = _unquoted(node.answer(asked) if one else [node.answer(call) for call in asked])
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # who asked was killed

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A killed client is no fault."""

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return Served(node, cast("tuple[str, int]", server.server_address)[1], tmp_path / name, chain)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def made() -> type[MadeChain]:
    """Makes a chain."""
    return MadeChain


@pytest.fixture
def core() -> Callable[[MadeChain], FakeNode]:
    """Makes a node that gives spent outputs, as Bitcoin Core does."""
    return lambda chain: FakeNode(chain, "/Satoshi:25.0.0/", 250000)


@pytest.fixture
def dogecoin() -> Callable[[MadeChain], FakeNode]:
    """Makes a node that gives none, as Dogecoin Core does."""
    return lambda chain: FakeNode(chain, "/Shibetoshi:1.14.6/", 1140600)
