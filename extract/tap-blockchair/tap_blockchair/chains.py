"""The chains that the tap knows, and all that distinguishes them; a new chain is an entry here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_blockchair.columns import Column, columns

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL_FINALITY = 60

# No header of dumps with these columns is on record, so a file without them is no fault.
_AUXPOW = columns("is_aux:b", required=False)
_DASH = {
    "blocks": columns("cbtx:s", required=False),
    "transactions": columns("type:s is_instant_lock:b is_special:b special_json:s", required=False),
}
_ZCASH = {
    "blocks": columns("final_sapling_root:s solution:s anchor:s shielded_value_delta_total:n~", required=False),
    "transactions": columns(
        """
        shielded_value_delta:n~ version_group_id:s is_overwintered:b expiry_height:i join_split_raw:s
        shielded_input_raw:s shielded_output_raw:s binding_signature:s
        """,
        required=False,
    ),
}
_LONDON = {
    "blocks": columns("base_fee_per_gas:n+ burned_total:n+", required=False),
    "transactions": columns(
        """
        version:i effective_gas_price:n+ max_fee_per_gas:n+ max_priority_fee_per_gas:n+ base_fee_per_gas:n+ burned:n+
        type_2718:i+
        """,
        required=False,
    ),
    "uncles": columns("base_fee_per_gas:n+", required=False),
}


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A chain.

    Attributes:
        name: Blockchair's path name. In names of streams a hyphen becomes an underscore.
        most: The most that a transaction may move, in base units: MAX_MONEY in the source code of the chain's node.
        finality: Blocks that a reorganisation may still replace, if no setting says otherwise.
        is_default: Whether it is extracted where no setting names chains.
        is_evm: True for accounts, calls and tokens, as on Ethereum; False for inputs and outputs, as on Bitcoin.
        has_witnesses: Whether its tables have SegWit's columns.
        is_shielded: Whether amounts may be hidden. How Blockchair counts those is not on record, so that nothing is
            said of the signs of totals and fees.
        more: Columns by table that others of its kind have not.
        api_only: Columns by table that the API has, and the dumps do not by default.
    """

    name: str
    most: int
    finality: int = USUAL_FINALITY
    is_default: bool = False
    is_evm: bool = False
    has_witnesses: bool = False
    is_shielded: bool = False
    more: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    api_only: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)


CHAINS = {
    chain.name: chain
    for chain in (
        Chain(name="bitcoin", most=21 * 10**14, finality=6, is_default=True, has_witnesses=True),
        # Ethereum computes in 256 bits.
        Chain(name="ethereum", most=2**256 - 1, finality=64, is_default=True, is_evm=True, api_only=_LONDON),
        # Dogecoin mints without end and has changed its bound; this one is more than it can have minted by 2180.
        Chain(name="dogecoin", most=10**20, is_default=True, more={"blocks": _AUXPOW}),
        Chain(name="litecoin", most=84 * 10**14, has_witnesses=True),
        Chain(name="bitcoin-cash", most=21 * 10**14),
        Chain(name="bitcoin-sv", most=21 * 10**14),
        Chain(name="ecash", most=21 * 10**14),
        Chain(name="dash", most=21 * 10**14, more=_DASH),
        Chain(name="zcash", most=21 * 10**14, is_shielded=True, more=_ZCASH),
        Chain(name="groestlcoin", most=105 * 10**14, has_witnesses=True),
    )
}
"""All chains by name; those that are extracted by default stand in the order of their streams."""


def names() -> str:
    """Name all chains, for a sentence."""
    return ", ".join(sorted(CHAINS))


def defaults() -> list[str]:
    """Name the chains that are extracted where no setting names any, in the order of their streams."""
    return [chain.name for chain in CHAINS.values() if chain.is_default]
