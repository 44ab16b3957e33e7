"""Dashboards of Bitcoin-like chains: blocks, transactions, and addresses alone and as a set."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from simulator.blockchair.chain_now import outputs_of
from simulator.blockchair.chains import COIN
from simulator.blockchair.dashboard import Dashboard, each
from simulator.blockchair.tables import TABLES
from simulator.blockchair.times import stamp
from simulator.blockchair.utxo_tables import OutputNow, api_outputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.blockchair.columns import Json
    from simulator.blockchair.dashboard import Found, View
    from simulator.blockchair.transactions import Block

_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_BLOCK: Final = re.compile(r"[0-9]{1,18}|[0-9a-fA-F]{64}")
_ADDRESS: Final = re.compile(r"[0-9A-Za-z]{25,90}|[dms]-[0-9a-f]{32}")
_MOST: Final = 10
_LARGEST_SET: Final = 100
_NOT_OF_A_SET: Final = ("received_usd", "spent_usd")
_REPLACEABLE: Final = 0xFFFFFFFE
"""A transaction with a lower sequence may be replaced while it waits (BIP 125)."""


def utxo_dashboards(chain: str) -> dict[str, Dashboard]:
    """The dashboards of a chain, by the part of the path that names them."""
    unknown = frozenset({"omni"}) if chain == "bitcoin" else frozenset()
    address = {"find": each(_address), "ids": _ADDRESS, "lists": 2, "options": {"transaction_details": 1}}
    return {
        "block": Dashboard(find=each(_block), ids=_BLOCK, lists=1),
        "blocks": Dashboard(find=each(_block), ids=_BLOCK, lists=1, most=_MOST),
        "transaction": Dashboard(find=each(_transaction), ids=_HASH, missing=unknown),
        "transactions": Dashboard(find=each(_transaction), ids=_HASH, most=_MOST, missing=unknown),
        "address": Dashboard(**address, missing=unknown),  # type: ignore[arg-type]
        "addresses": Dashboard(**address | {"find": _addresses}, most=_LARGEST_SET, per_request=True),  # type: ignore[arg-type]
    }


def _block(view: View, wanted: str) -> tuple[str, Json] | None:
    blocks: Sequence[Block] = view.at.blocks
    if len(wanted) < len("0" * 64):
        found = [block for block in blocks if block.id == int(wanted)]
    else:
        found = [block for block in blocks if block.hash == wanted.lower()]
    if not found:
        return None
    (block,) = found
    hashes: list[Json] = [tx.hash for tx in block.transactions]
    row = view.row(TABLES[view.at.chain, "blocks"], block)
    return wanted, {"block": row, "transactions": view.asked.page(hashes)}


def _transaction(view: View, wanted: str) -> tuple[str, Json] | None:
    txid = bytes.fromhex(wanted)[::-1]
    confirmed = (tx for block in view.at.blocks for tx in block.transactions)
    tx = next((tx for some in (confirmed, view.at.waiting) for tx in some if tx.id == txid), None)
    if tx is None:
        return None
    row = view.row(TABLES[view.at.chain, "transactions"], tx)
    if view.at.chain == "bitcoin":
        row["is_rbf"] = any(one.sequence < _REPLACEABLE for one in tx.inputs)
    outputs = api_outputs(view.at.chain)
    return wanted, {
        "transaction": row,
        "inputs": [view.row(outputs, OutputNow(one.spent, one)) for one in tx.inputs],
        "outputs": [view.row(outputs, view.at.output(output)) for output in tx.outputs],
    }


@dataclass
class _Part:
    """What a transaction did to a set of addresses."""

    number: int
    block_id: int
    time: int
    change: int = 0


@dataclass
class _Account:
    """The outputs that a set of addresses ever received, in chain order, and the transactions that moved them."""

    outputs: list[OutputNow]
    parts: dict[str, _Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.outputs:
            made, spent = one.output, one.spending
            self._part(made.transaction_hash, made.maker, made.block_id, made.time).change += made.value
            if spent is not None:
                self._part(spent.transaction_hash, spent.number, spent.block_id, spent.time).change -= made.value

    def _part(self, transaction_hash: str, number: int, block_id: int, time: int) -> _Part:
        return self.parts.setdefault(transaction_hash, _Part(number, block_id, time))

    def summary(self, view: View) -> dict[str, Json]:
        """Balance, totals and counts."""
        unspent = [one.output for one in self.outputs if one.spending is None]
        received = [(one.output.value, one.output.time) for one in self.outputs]
        spent = [(one.output.value, one.spending.time) for one in self.outputs if one.spending is not None]
        balance = sum(output.value for output in unspent)
        seen = [sorted(time for _, time in some) for some in (received, spent)]
        return {
            "balance": balance,
            "balance_usd": float(view.spot * balance / COIN),
            "received": sum(value for value, _ in received),
            "received_usd": view.dollars(received),
            "spent": sum(value for value, _ in spent),
            "spent_usd": view.dollars(spent),
            "output_count": len(received),
            "unspent_output_count": len(unspent),
            "first_seen_receiving": stamp(seen[0][0]),
            "last_seen_receiving": stamp(seen[0][-1]),
            "first_seen_spending": stamp(seen[1][0]) if spent else None,
            "last_seen_spending": stamp(seen[1][-1]) if spent else None,
        }

    def lists(self, view: View, *, named: bool) -> dict[str, Json]:
        """Transactions and unspent outputs, the latest first; those of a set are named by their address."""
        latest = sorted(self.parts.items(), key=lambda item: item[1].number, reverse=True)
        shown: list[Json] = [transaction_hash for transaction_hash, _ in latest]
        if "transaction_details" in view.asked.options:
            shown = [
                {
                    "block_id": part.block_id,
                    "hash": transaction_hash,
                    "time": stamp(part.time),
                    "balance_change": part.change,
                }
                for transaction_hash, part in latest
            ]
        utxo: list[Json] = []
        for output in reversed([one.output for one in self.outputs if one.spending is None]):
            name: dict[str, Json] = {"address": output.recipient} if named else {}
            place: dict[str, Json] = {
                "block_id": output.block_id,
                "transaction_hash": output.transaction_hash,
                "index": output.index,
                "value": output.value,
            }
            utxo.append(place | name)
        return {"transactions": view.asked.page(shown), "utxo": view.asked.page(utxo, 1)}


def _outputs_to(view: View, addresses: set[str]) -> list[OutputNow]:
    at = view.at
    everything = (
        *at.world.opening_outputs(at.chain),
        *(output for block in at.blocks for output in outputs_of(block.transactions)),
        *outputs_of(at.waiting),
    )
    return [at.output(output) for output in everything if output.recipient in addresses]


def _kind(account: _Account) -> dict[str, Json]:
    first = account.outputs[0].output
    return {"type": first.type, "script_hex": first.script.hex()}


def _address(view: View, wanted: str) -> tuple[str, Json] | None:
    account = _Account(_outputs_to(view, {wanted}))
    if not account.outputs:
        return None
    more: dict[str, Json] = {"transaction_count": len(account.parts), "scripthash_type": None}
    return wanted, {
        "address": {**_kind(account), **account.summary(view), **more},
        **account.lists(view, named=False),
    }


def _addresses(view: View) -> Found:
    every = _Account(_outputs_to(view, set(view.asked.ids)))
    if not every.outputs:
        return {}, 0
    alone: dict[str, Json] = {}
    for wanted in dict.fromkeys(view.asked.ids):
        account = _Account([one for one in every.outputs if one.output.recipient == wanted])
        if account.outputs:
            alone[wanted] = {**_kind(account), **account.summary(view)}
    totals = {name: value for name, value in every.summary(view).items() if name not in _NOT_OF_A_SET}
    whole: dict[str, Json] = {"address_count": len(alone), **totals, "transaction_count": len(every.parts)}
    return {"set": whole, "addresses": alone, **every.lists(view, named=True)}, len(alone)
