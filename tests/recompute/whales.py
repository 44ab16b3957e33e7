"""fct_whale_transfers, from its description and that of `whale_value_base`."""

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction

from recompute.compare import Rows
from recompute.days import Chain, minute_of
from recompute.raw import Input, Output, Raw, Transaction

THRESHOLDS_USD = (100_000, 1_000_000, 10_000_000, 100_000_000)


@dataclass(frozen=True)
class Moved:
    """What a transaction moved to others, and with what came back."""

    net: int
    gross: int
    senders: int | None
    recipients: int | None
    basis: str = "net"


def _ethereum(transaction: Transaction) -> Moved:
    to_itself = transaction.sender == transaction.recipient
    return Moved(0 if to_itself else transaction.value, transaction.value, 1, 1)


def _utxo(transaction: Transaction, outputs: list[Output], inputs: list[Input]) -> Moved:
    data = sum(output.value for output in outputs if output.is_data)
    if (transaction.output_count, transaction.input_count) != (len(outputs), len(inputs)):
        gross = transaction.output_total - data
        return Moved(gross, gross, None, None, "gross")
    senders = {spent.recipient for spent in inputs}
    paid = [output for output in outputs if not output.is_data]
    to_others = [output for output in paid if output.recipient not in senders]
    recipients = {output.recipient for output in outputs if output.recipient not in senders}
    return Moved(
        sum(output.value for output in to_others),
        sum(output.value for output in paid),
        len(senders),
        len({recipient for recipient in recipients if "-" not in recipient}),
    )


def whales(raw: Raw, chain: Chain) -> Rows:
    """The rows of a chain."""
    outputs: dict[str, list[Output]] = defaultdict(list)
    inputs: dict[str, list[Input]] = defaultdict(list)
    for output in raw.outputs.get(chain.name, []):
        outputs[output.transaction].append(output)
    for spent in raw.inputs.get(chain.name, []):
        inputs[spent.spending_transaction].append(spent)
    rows: Rows = {}
    for transaction in raw.transactions[chain.name]:
        if not transaction.is_user or transaction.is_failed or transaction.hash is None:
            continue
        name = transaction.hash
        moved = _utxo(transaction, outputs[name], inputs[name]) if chain.is_utxo else _ethereum(transaction)
        worth = chain.dollars(moved.net, transaction.day)
        if worth is None or worth < THRESHOLDS_USD[0]:
            continue
        block = chain.heights.get(transaction.height)
        rows[chain.name, transaction.height, name] = {
            "block_time": transaction.time,
            "block_date": transaction.day,
            "time_key": minute_of(transaction.time),
            "value_base": moved.net,
            "gross_value_base": moved.gross,
            "value_basis": moved.basis,
            "value_usd": worth,
            "band_usd": Fraction(max(threshold for threshold in THRESHOLDS_USD if worth >= threshold)),
            "sender_count": moved.senders,
            "recipient_count": moved.recipients,
            "is_final": block is not None and block.is_settled,
        }
    return rows
