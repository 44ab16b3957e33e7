"""A busy day of Bitcoin through mirror-node: time, processor seconds and memory, the node's own time not counted.

    .venv-dev/bin/python benchmarks/own_node.py            # 400,000 transactions, 825,000 inputs, 1.44 million outputs
    .venv-dev/bin/python benchmarks/own_node.py --quick    # a twentieth of it
    .venv-dev/bin/python benchmarks/own_node.py --coins 10 # the store of unspent outputs with 10 million entries

The day is made: a dozen blocks of random transactions (each input and output with a script of its own, half of them
SegWit), repeated under headers of their own. A process serves them from memory as bitcoind answers `getblock HASH 3`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirror_node.store import Coin, CoinChanges, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.queues import Queue

BLOCKS, TRANSACTIONS, INPUTS, OUTPUTS = 143, 400_000, 825_000, 1_440_000
DISTINCT = 12
OLD_BLOCKS = 2000
BEHIND = 12
START = 1_709_251_200  # 2024-03-01
COIN = 10**8
BITS = 0x207FFFFF


def twice(data: bytes) -> bytes:
    """The hash of blocks and transactions."""
    return sha256(sha256(data).digest()).digest()


def count(number: int) -> bytes:
    """A count as blocks write it."""
    return bytes([number]) if number < 0xFD else b"\xfd" + struct.pack("<H", number)  # noqa: PLR2004


def root(level: list[bytes]) -> bytes:
    """A merkle root."""
    while len(level) > 1:
        level = level + level[-1:] * (len(level) % 2)
        level = [twice(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


def some_script(chances: random.Random) -> bytes:
    """A script of one of the kinds of a day in 2024."""
    keyhash, taproot = b"\x00\x14" + chances.randbytes(20), b"\x51\x20" + chances.randbytes(32)
    pubkeyhash = b"\x76\xa9\x14" + chances.randbytes(20) + b"\x88\xac"
    scripthash, note = b"\xa9\x14" + chances.randbytes(20) + b"\x87", b"\x6a\x20" + chances.randbytes(32)
    return chances.choices((keyhash, pubkeyhash, scripthash, taproot, note), (45, 20, 15, 15, 5))[0]


def some_transaction(chances: random.Random, inputs: int, outputs: int) -> tuple[bytes, bytes, dict[str, Any]]:
    """A transaction: txid, wtxid, and what bitcoind says of it."""
    outpoints = [chances.randbytes(32) + struct.pack("<I", chances.randrange(4)) for _ in range(inputs)]
    paid = [(chances.randrange(1000, COIN), some_script(chances)) for _ in range(outputs)]
    body = count(inputs) + b"".join(each + b"\x00" + b"\xfd\xff\xff\xff" for each in outpoints)
    body += count(outputs) + b"".join(struct.pack("<Q", v) + count(len(s)) + s for v, s in paid)
    items = [[chances.randbytes(71), chances.randbytes(33)] for _ in range(inputs)]
    witness = b"".join(b"\x02" + b"".join(count(len(i)) + i for i in each) for each in items)
    plain, whole = b"\x02\0\0\0" + body + bytes(4), b"\x02\0\0\0\x00\x01" + body + witness + bytes(4)
    fee = 1500
    total = sum(value for value, _ in paid) + fee
    values = [total // inputs] * inputs
    values[0] += total - sum(values)
    said = {
        "txid": twice(plain)[::-1].hex(),
        "hash": twice(whole)[::-1].hex(),
        "version": 2,
        "size": len(whole),
        "locktime": 0,
        "vin": [
            {
                "txid": outpoint[31::-1].hex(),
                "vout": outpoint[32],
                "scriptSig": {"asm": "", "hex": ""},
                "txinwitness": [item.hex() for item in own],
                "prevout": {
                    "generated": False,
                    "height": chances.randrange(OLD_BLOCKS),
                    "value": f"@{value // COIN}.{value % COIN:08d}@",
                    "scriptPubKey": {"asm": "0 " + "0" * 40, "hex": some_script(chances).hex(), "type": "of it"},
                },
                "sequence": 4294967293,
            }
            for outpoint, value, own in zip(outpoints, values, items, strict=True)
        ],
        "vout": [
            {
                "value": f"@{value // COIN}.{value % COIN:08d}@",
                "n": number,
                "scriptPubKey": {"asm": "0 " + script.hex(), "hex": script.hex(), "address": "x" * 42, "type": "of it"},
            }
            for number, (value, script) in enumerate(paid)
        ],
        "fee": f"@0.{fee:08d}@",
        "hex": whole.hex(),
    }
    return twice(plain), twice(whole), said


def coinbase(wtxids: list[bytes], fees: int) -> tuple[bytes, dict[str, Any]]:
    """A coinbase that commits to the witnesses."""
    commitment = b"\x6a\x24\xaa\x21\xa9\xed" + twice(root([bytes(32), *wtxids]) + bytes(32))
    body = b"\x01" + bytes(32) + b"\xff" * 4 + b"\x04\x03abc" + b"\xff" * 4
    body += b"\x02" + struct.pack("<Q", 25 * COIN // 4 + fees) + b"\x16\x00\x14" + bytes(20)
    body += bytes(8) + count(len(commitment)) + commitment
    plain, whole = b"\x02\0\0\0" + body + bytes(4), b"\x02\0\0\0\x00\x01" + body + b"\x01\x20" + bytes(36)
    return twice(plain), {"hex": whole.hex(), "vin": [{"coinbase": "03616263"}], "vout": []}


def some_block(seed: int, transactions: int, inputs: int, outputs: int) -> tuple[bytes, bytes]:
    """The merkle root of a block and the JSON of its transactions."""
    chances = random.Random(seed)  # noqa: S311
    each_in = [inputs // transactions + (at < inputs % transactions) for at in range(transactions)]
    each_out = [outputs // transactions + (at < outputs % transactions) for at in range(transactions)]
    made = [some_transaction(chances, *both) for both in zip(each_in, each_out, strict=True)]
    first, said = coinbase([wtxid for _, wtxid, _ in made], 1500 * transactions)
    text = json.dumps([said, *(each for _, _, each in made)]).replace('"@', "").replace('@"', "")
    return root([first, *(txid for txid, _, _ in made)]), text.encode()


def chain(share: int) -> dict[str, Any]:
    """All that the served node knows: hashes by height, headers, and answers of `getblock`."""
    size = [number // share // BLOCKS for number in (TRANSACTIONS, INPUTS, OUTPUTS)]
    distinct = [some_block(seed, *size) for seed in range(DISTINCT)]
    empty = coinbase([], 0)
    hashes, headers, answers, previous = [], {}, {}, bytes(32)
    times = [START - 600 * (OLD_BLOCKS - at) for at in range(OLD_BLOCKS)]
    times += [START + 600 * at for at in range(BLOCKS)] + [START + 86400 + 600 * at for at in range(BEHIND)]
    for height, now in enumerate(times):
        is_busy = OLD_BLOCKS <= height < OLD_BLOCKS + BLOCKS
        merkle, text = distinct[height % DISTINCT] if is_busy else (empty[0], json.dumps([empty[1]]).encode())
        header = struct.pack("<i32s32sIII", 0x20000000, previous, merkle, now, BITS, height)
        name = twice(header)[::-1].hex()
        facts = {
            "hash": name, "height": height, "version": 0x20000000, "merkleroot": merkle[::-1].hex(), "time": now,
            "mediantime": times[max(0, height - 5)], "nonce": height, "bits": f"{BITS:08x}", "difficulty": 1.5,
            "chainwork": "00" * 32, "previousblockhash": previous[::-1].hex(),
        }  # fmt: skip
        hashes.append(name)
        headers[name] = header.hex(), facts
        answers[name] = json.dumps(facts)[:-1].encode() + b', "tx": ', text
        previous = twice(header)
    return {"hashes": hashes, "headers": headers, "answers": answers}


def serve(share: int, ready: Queue[Any]) -> None:
    """Serve the chain; tells its port, and at the end its processor seconds."""
    known = chain(share)
    small: dict[str, Callable[..., Any]] = {
        "getnetworkinfo": lambda: {"version": 270000, "subversion": "/Satoshi:27.0.0/"},
        "getblockchaininfo": lambda: {"chain": "main", "blocks": len(known["hashes"]) - 1},
        "getblockhash": lambda height: known["hashes"][height],
        "getblockheader": lambda name, verbose=True: known["headers"][name][verbose],
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if isinstance(asked, dict) and asked["method"] == "getblock":
                front, text = known["answers"][asked["params"][0]]
                parts = [b'{"id":0,"error":null,"result":', front, text, b"}}"]
            else:
                calls = [asked] if isinstance(asked, dict) else asked
                found = [{"id": each["id"], "result": small[each["method"]](*each["params"])} for each in calls]
                parts = [json.dumps(found[0] if isinstance(asked, dict) else found).encode()]
            self.send_response(200)
            self.send_header("Content-Length", str(sum(map(len, parts))))
            self.end_headers()
            for part in parts:
                self.wfile.write(part)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ready.put(server.server_address[1])
    server.serve_forever()


def peak_of(process: subprocess.Popen[bytes]) -> int:
    """Follow a process and its children until it ends; the most memory of their own together, in bytes."""
    most = 0
    while process.poll() is None:
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, parent = int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])
                if process.pid in {pid, parent}:
                    fields = (stat.parent / "smaps_rollup").read_text()
                    total += sum(int(line.split()[1]) for line in fields.splitlines() if line.startswith("Pss:"))
            except (OSError, ValueError):
                continue
        most = max(most, total * 1024)
        time.sleep(0.2)
    return most


def processor_seconds(pid: int | None) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def busy_day(share: int) -> None:
    """Mirror the day and print what it took."""
    context = multiprocessing.get_context("fork")
    ready: Queue[Any] = context.Queue()
    node = context.Process(target=serve, args=(share, ready), daemon=True)
    node.start()
    port = ready.get()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "mirror_node", "run", f"--rpc-url=http://127.0.0.1:{port}"),
            *(f"--mirror-dir={folder}/mirror", f"--state-dir={folder}/state", "--from=2024-03-01", "--to=2024-03-01"),
        ]
        before, begun = processor_seconds(node.pid), time.monotonic()
        process = subprocess.Popen(command)
        most = peak_of(process)
        took, of_node = time.monotonic() - begun, processor_seconds(node.pid) - before
        own = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process.returncode == 0
        sizes = {path.parent.name: path.stat().st_size for path in Path(folder).rglob("*.tsv.gz")}
    node.terminate()
    print(f"{TRANSACTIONS // share:,} transactions, {INPUTS // share:,} inputs, {OUTPUTS // share:,} outputs")
    print(f"{took:.1f} s; {own.ru_utime + own.ru_stime:.1f} processor s, and the node's {of_node:.1f}")
    print(f"memory at most {most / 1e6:.0f} MB; files " + ", ".join(f"{t} {s / 1e6:.0f} MB" for t, s in sizes.items()))


def coins(millions: int) -> None:
    """Fill the store of unspent outputs in the order of its keys, then measure it at that size, at random places."""
    chances = random.Random(1)  # noqa: S311
    count, batch, commits = millions * 1_000_000, 100_000, 10
    step = (1 << 64) // count

    def outpoint(number: int) -> bytes:
        return struct.pack(">Q", number * step) + b"\x5a" * 24 + bytes(4)

    def coin(height: int) -> Coin:
        return Coin(height, False, 5000, b"\x76\xa9\x14" + chances.randbytes(20) + b"\x88\xac")

    with tempfile.TemporaryDirectory(dir=".") as folder, Store(Path(folder) / "mirror.sqlite") as store:
        begun = time.monotonic()
        for first in range(0, count, batch):
            changes = CoinChanges()
            changes.made = {outpoint(number): coin(1) for number in range(first, first + batch)}
            store.commit([], changes, 0)
        filled = time.monotonic()
        spent = chances.sample(range(count), commits * batch)
        looking = committing = 0.0
        for part in range(commits):
            wanted = [outpoint(number) for number in spent[part * batch : (part + 1) * batch]]
            started = time.monotonic()
            found = store.coins(wanted)
            looking += time.monotonic() - started
            assert len(found) == batch
            changes = CoinChanges()
            changes.spent = set(wanted)
            changes.made = {chances.randbytes(36): coin(2) for _ in range(batch)}
            started = time.monotonic()
            store.commit([], changes, 0)
            committing += time.monotonic() - started
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{millions} million unspent outputs, filled in {filled - begun:.0f} s in the order of their keys")
    total = commits * batch
    print(f"at random places: {total / looking:,.0f} looked up/s; {total / committing:,.0f}/s both made and spent")
    print(f"memory at most {memory / 1e6:.0f} MB, files {size / 1e9:.2f} GB")


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the day")
    parser.add_argument("--coins", type=int, metavar="MILLIONS", help="the store of unspent outputs instead")
    given = parser.parse_args()
    if given.coins:
        coins(given.coins)
    else:
        busy_day(20 if given.quick else 1)


if __name__ == "__main__":
    main()
