"""fct_token_transfers and fct_token_daily, from the definitions in `_metrics_ethereum.md`."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from recompute.compare import Rows
from recompute.days import Chain, key_of
from recompute.exact import rounded
from recompute.raw import Raw, TokenTransfer

# Symbol and decimals of the contracts that are to be worth a dollar.
STABLECOINS = {
    "dac17f958d2ee523a2206206994597c13d831ec7": ("USDT", 6),
    "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48": ("USDC", 6),
    "6b175474e89094c44da98b954eedeac495271d0f": ("DAI", 18),
}
NOBODY = "0" * 40
MOST_DECIMALS = 255
TOKEN_DIGITS = 18


def symbol_of(transfer: TokenTransfer) -> str | None:
    """The transfer's own, else the list's."""
    return transfer.symbol or STABLECOINS.get(transfer.token, (None, None))[0]


def decimals_of(transfer: TokenTransfer) -> int | None:
    """The transfer's own where a byte holds them, else the list's."""
    if transfer.decimals is not None and 0 <= transfer.decimals <= MOST_DECIMALS:
        return transfer.decimals
    return STABLECOINS.get(transfer.token, (None, None))[1]


def token_transfers(raw: Raw, chain: Chain) -> Rows:
    """The rows of fct_token_transfers."""
    by_block: dict[int, list[TokenTransfer]] = defaultdict(list)
    for transfer in raw.token_transfers:
        by_block[transfer.height].append(transfer)
    rows: Rows = {}
    for height, of_block in by_block.items():
        block = chain.heights.get(height)
        for place, transfer in enumerate(sorted(of_block, key=lambda transfer: transfer.line)):
            rows[chain.name, height, place] = {
                "transaction_key": key_of(chain.name, height, transfer.transaction),
                "block_date": transfer.day,
                "token_address": transfer.token,
                "token_symbol": symbol_of(transfer),
                "token_decimals": decimals_of(transfer),
                "is_stablecoin": transfer.token in STABLECOINS,
                "sender_address": transfer.sender,
                "recipient_address": transfer.recipient,
                "value_base": transfer.value,
                "is_final": block is not None and block.is_settled,
            }
    return rows


def _volume(transfers: Sequence[TokenTransfer]) -> Fraction | None:
    """The sum in tokens, each amount by its own decimals."""
    volume = Fraction(0)
    for transfer in transfers:
        decimals = decimals_of(transfer)
        if decimals is None:
            return None
        volume += Fraction(transfer.value, 10**decimals)
    return rounded(volume, TOKEN_DIGITS)


def token_days(raw: Raw, chain: Chain) -> Rows:
    """The rows of fct_token_daily."""
    by_token: dict[tuple[date, str], list[TokenTransfer]] = defaultdict(list)
    for transfer in raw.token_transfers:
        by_token[transfer.day, transfer.token].append(transfer)
    rows: Rows = {}
    for (day, token), moved in by_token.items():
        senders = {transfer.sender for transfer in moved} - {NOBODY}
        recipients = {transfer.recipient for transfer in moved} - {NOBODY}
        sorts = {decimals_of(transfer) for transfer in moved}
        has_block = day in chain.blocks
        rows[chain.name, day, token] = {
            "token_decimals": sorts.pop() if len(sorts) == 1 else None,
            "is_stablecoin": token in STABLECOINS,
            "transfer_count": len(moved),
            "volume_base": sum(transfer.value for transfer in moved),
            "volume_tokens": _volume(moved),
            "active_address_count": len(senders | recipients),
            "sender_count": len(senders),
            "recipient_count": len(recipients),
            "has_all_blocks": has_block and chain.has_all_blocks(day),
            "is_final": has_block and chain.is_final(day),
        }
    return rows
