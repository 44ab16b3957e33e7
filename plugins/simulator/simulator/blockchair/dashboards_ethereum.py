"""Dashboards of Ethereum: blocks, uncles, transactions and addresses. Keys come back in lower case."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.dashboard import Dashboard, each
from simulator.blockchair.dice import fingerprint
from simulator.blockchair.ethereum_calls import calls_of
from simulator.blockchair.ethereum_model import CREATE, ETHER
from simulator.blockchair.mempool import mempool_transactions
from simulator.blockchair.parameters import ETHEREUM
from simulator.blockchair.tables import TABLES
from simulator.blockchair.times import midnight, stamp
from simulator.blockchair.tokens import transfers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.blockchair.columns import Json
    from simulator.blockchair.dashboard import View
    from simulator.blockchair.ethereum_calls import Call
    from simulator.blockchair.ethereum_model import EthereumBlock, EthereumTransaction

_HASH: Final = re.compile(r"0[xX][0-9a-fA-F]{64}")
_BLOCK: Final = re.compile(r"[0-9]{1,18}|0[xX][0-9a-fA-F]{64}")
_ADDRESS: Final = re.compile(r"0[xX][0-9a-fA-F]{40}")
_MOST: Final = 10
_WAITING: Final = mempool_transactions(ETHEREUM)
_YOUNG: Final = 6
"""Calls of so many of the last blocks are not known yet."""
_LARGEST_INTEGER: Final = 2**63 - 1
_TRANSFER: Final = ("token_address", "token_name", "token_symbol", "token_decimals", "sender", "recipient", "value")
_CALL: Final = (
    "block_id",
    "transaction_hash",
    "index",
    "time",
    "sender",
    "recipient",
    "value",
    "value_usd",
    "transferred",
)


def ethereum_dashboards() -> dict[str, Dashboard]:
    """The dashboards, by the part of the path that names them."""
    block = {"find": each(_block), "ids": _BLOCK, "lists": 1}
    uncle = {"find": each(_uncle), "ids": _HASH}
    transaction = {
        "find": each(_transaction),
        "ids": _HASH,
        "options": {"erc_20": 1},
        "missing": frozenset({"effects", "events", "erc_721", "trace_mempool", "assets_in_usd"}),
    }
    return {
        "block": Dashboard(**block),  # type: ignore[arg-type]
        "blocks": Dashboard(**block, most=_MOST),  # type: ignore[arg-type]
        "uncle": Dashboard(**uncle),  # type: ignore[arg-type]
        "uncles": Dashboard(**uncle, most=_MOST),  # type: ignore[arg-type]
        "transaction": Dashboard(**transaction),  # type: ignore[arg-type]
        "transactions": Dashboard(**transaction, most=_MOST),  # type: ignore[arg-type]
        "address": Dashboard(
            find=each(_address),
            ids=_ADDRESS,
            lists=1,
            options={"nonce": 1, "transactions_instead_of_calls": 2},
            missing=frozenset({"erc_20", "erc_721", "output", "assets_in_usd", "contract_details"}),
        ),
    }


def _block(view: View, wanted: str) -> tuple[str, Json] | None:
    key = wanted.lower()
    blocks: Sequence[EthereumBlock] = view.at.blocks
    if key.startswith("0x"):
        found = [block for block in blocks if block.hash == key[2:]]
    else:
        found = [block for block in blocks if block.id == int(key)]
    if not found:
        return None
    (block,) = found
    hashes: list[Json] = [f"0x{tx.hash}" for tx in block.real]
    return key, {
        "block": view.row(TABLES[ETHEREUM, "blocks"], block),
        "uncles": [f"0x{uncle.hash}" for uncle in block.uncles],
        "transactions": view.asked.page(hashes),
        "synthetic_transactions": [tx.id for tx in block.synthetic],
    }


def _uncle(view: View, wanted: str) -> tuple[str, Json] | None:
    key = wanted.lower()
    for block in view.at.blocks:
        for uncle in block.uncles:
            if uncle.hash == key[2:]:
                return key, {"uncle": view.row(TABLES[ETHEREUM, "uncles"], uncle)}
    return None


def _transaction(view: View, wanted: str) -> tuple[str, Json] | None:
    key = wanted.lower()
    for block in view.at.blocks:
        for tx in block.real:
            if tx.hash == key[2:]:
                return key, _confirmed(view, block, tx)
    for tx in view.at.waiting:
        if tx.hash == key[2:]:
            shown: dict[str, Json] = {"transaction": view.row(_WAITING, tx), "calls": None}
            if "erc_20" in view.asked.options:
                shown["layer_2"] = {"erc_20": []}
            return key, shown
    return None


def _confirmed(view: View, block: EthereumBlock, tx: EthereumTransaction) -> dict[str, Json]:
    calls: list[Json] | None = None
    if block.id <= view.at.tip - _YOUNG:
        calls = [view.row(TABLES[ETHEREUM, "calls"], call) for call in calls_of(block) if call.transaction_id == tx.id]
    shown: dict[str, Json] = {"transaction": view.row(TABLES[ETHEREUM, "transactions"], tx), "calls": calls}
    if "erc_20" in view.asked.options:
        transfers: list[Json] = []
        for transfer in transfers_of(block):
            if transfer.transaction_hash == tx.hash:
                row = view.row(TABLES[ETHEREUM, "erc-20/transactions"], transfer)
                tokens = transfer.value / 10**transfer.token_decimals
                transfers.append({name: row[name] for name in _TRANSFER} | {"value_approximate": tokens})
        shown["layer_2"] = {"erc_20": transfers}
    return shown


def _address(view: View, wanted: str) -> tuple[str, Json] | None:
    key = wanted.lower()
    address = key[2:]
    at = view.at
    holder = at.world.holder(ETHEREUM, address, at.now)
    real = [tx for block in at.blocks for tx in block.transactions]
    calls = [call for block in at.blocks for call in calls_of(block) if address in (call.sender, call.recipient)]
    if holder is None and not calls:
        return None
    balance = 0 if holder is None else holder.balance
    sent = [tx for tx in real if tx.sender == address]
    moved = [call for call in calls if call.transferred]
    got = [(call.value, call.time) for call in moved if call.recipient == address]
    given = [(call.value, call.time) for call in moved if call.sender == address]
    fees = [(tx.fee or 0, tx.time) for tx in sent]
    # What was there before the world counts as received on its first day.
    opening = at.world.opening_balance(address)
    received = [*got, (opening, midnight(at.world.parameters.start))]
    shown: dict[str, Json] = {
        **_nature(address, calls, is_contract=holder is not None and holder.is_contract),
        "balance": str(balance),
        "balance_usd": float(view.spot * balance / ETHER),
        "received_approximate": str(sum(value for value, _ in received)),
        "received_usd": view.dollars(received),
        "spent_approximate": str(sum(value for value, _ in given)),
        "spent_usd": view.dollars(given),
        "fees_approximate": str(sum(value for value, _ in fees)),
        "fees_usd": view.dollars(fees),
        "receiving_call_count": len(got),
        "spending_call_count": len(given),
        "call_count": len(calls),
        "transaction_count": len({call.transaction_id for call in calls}),
        **_seen("receiving", (call.time for call in calls if call.recipient == address and not call.failed)),
        **_seen("spending", (call.time for call in calls if call.sender == address and not call.failed)),
        "nonce": len(sent) if "nonce" in view.asked.options else None,
    }
    latest = calls[::-1]
    if "transactions_instead_of_calls" in view.asked.options:
        hashes: list[Json] = list(
            dict.fromkeys(f"0x{call.transaction_hash}" for call in latest if call.transaction_hash)
        )
        return key, {"address": shown, "transactions": view.asked.page(hashes)}
    return key, {"address": shown, "calls": view.asked.page([_call(view, call) for call in latest])}


def _nature(address: str, calls: list[Call], *, is_contract: bool) -> dict[str, Json]:
    """Whether it is an account or a contract; an address at which making one failed counts as a contract."""
    made = [call for call in calls if call.type == CREATE and call.recipient == address]
    if not is_contract and not made:
        return {"type": "account", "contract_code_hex": None, "contract_created": None, "contract_destroyed": None}
    # The code of a contract older than the world is any bytes, the same ones each time.
    code = made[-1].output_hex if made else fingerprint("code", address).hex()
    return {
        "type": "contract",
        "contract_code_hex": code,
        "contract_created": is_contract,
        "contract_destroyed": False,
    }


def _seen(what: str, times: Iterable[int]) -> dict[str, Json]:
    ordered = sorted(times)
    first, last = (stamp(ordered[0]), stamp(ordered[-1])) if ordered else (None, None)
    return {f"first_seen_{what}": first, f"last_seen_{what}": last}


def _call(view: View, call: Any) -> dict[str, Json]:  # noqa: ANN401 - a row of the table of calls
    """A call in short; its value is a number here, which large ones lose digits by (contract 3.10)."""
    row = view.row(TABLES[ETHEREUM, "calls"], call)
    value: Json = call.value if call.value <= _LARGEST_INTEGER else float(call.value)
    return {name: row[name] for name in _CALL} | {"value": value}
