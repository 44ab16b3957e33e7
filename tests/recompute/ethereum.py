"""Figures of Ethereum's transactions in fct_transactions and fct_contract_gas_daily, from `_metrics_ethereum.md`."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from recompute.compare import Rows
from recompute.days import Chain, key_of, minute_of
from recompute.raw import Raw, Transaction

NAMED_CONTRACTS = 1000
METHOD_DIGITS = 8


def method_of(transaction: Transaction) -> str | None:
    """The first four bytes of an input that is no code, if it has as many."""
    if transaction.is_creation or transaction.input is None or len(transaction.input) < METHOD_DIGITS:
        return None
    return f"0x{transaction.input[:METHOD_DIGITS]}"


def address_key(chain: Chain, address: str | None) -> int | None:
    """The address in dim_address, -1 where there is none; a ledger of outputs has no such part."""
    if chain.is_utxo:
        return None
    return -1 if address is None else key_of(chain.name, address)


def transactions(raw: Raw, chain: Chain) -> Rows:
    """The rows of a chain in fct_transactions."""
    rows: Rows = {}
    for transaction in raw.transactions[chain.name]:
        name = transaction.hash
        created = raw.created.get((transaction.height, name)) if name and not chain.is_utxo else None
        has_created = created is not None and not transaction.is_failed
        rows[(key_of(chain.name, transaction.height, name or transaction.place),)] = {
            "transaction_hash": name,
            "time_key": minute_of(transaction.time),
            "sender_address_key": address_key(chain, transaction.sender),
            "recipient_address_key": address_key(chain, transaction.recipient),
            "method_id": method_of(transaction),
            "created_contract_address_key": key_of(chain.name, created) if has_created else None,
        }
    return rows


def _called(transaction: Transaction) -> str:
    """Which contract a transaction with input data calls, or why that is none."""
    if transaction.is_creation:
        return "creation"
    if transaction.input is None or transaction.recipient is None:
        return "unknown"
    return transaction.recipient


def _row(chain: Chain, day: date, kind: str, sent: Sequence[Transaction], place: int | None) -> dict[str, object]:
    fees = sum(transaction.fee for transaction in sent)
    contracts = len({transaction.recipient for transaction in sent}) if kind in ("contract", "other") else None
    return {
        "row_kind": kind,
        "contract_address": sent[0].recipient if kind == "contract" else None,
        "gas_rank": place,
        "contract_count": contracts,
        "transaction_count": len(sent),
        "failed_transaction_count": sum(transaction.is_failed for transaction in sent),
        "gas_used": sum(transaction.charged for transaction in sent),
        "fee_base": fees,
        "fee_usd": chain.dollars(fees, day),
        "price_status": chain.price_status(day),
        "priced_transaction_count": len(sent) if day in chain.closes else 0,
        "has_all_blocks": chain.has_all_blocks(day),
        "has_all_transactions": chain.has_all_transactions(day),
        "is_final": chain.is_final(day),
    }


def contract_gas(chain: Chain) -> Rows:
    """The rows of fct_contract_gas_daily."""
    rows: Rows = {}
    for day in chain.days:
        by_contract: dict[str, list[Transaction]] = defaultdict(list)
        for transaction in chain.users(day):
            if transaction.input != "":
                by_contract[_called(transaction)].append(transaction)
        for kind in ("creation", "unknown"):
            if sent := by_contract.pop(kind, None):
                rows[chain.name, day, kind] = _row(chain, day, kind, sent, None)
        by_gas = sorted(by_contract, key=lambda name: (-sum(sent.charged for sent in by_contract[name]), name))
        for place, name in enumerate(by_gas[:NAMED_CONTRACTS], start=1):
            rows[chain.name, day, name] = _row(chain, day, "contract", by_contract[name], place)
        if others := [transaction for name in by_gas[NAMED_CONTRACTS:] for transaction in by_contract[name]]:
            rows[chain.name, day, "other"] = _row(chain, day, "other", others, None)
    return rows
