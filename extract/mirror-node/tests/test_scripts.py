"""Types and addresses of scripts: the published vectors, and what stands at the edges of each rule."""

from __future__ import annotations

import pytest

from mirror_node.chains import CHAINS
from mirror_node.scripts import Scripts

KEY = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
OTHER = "02" + "11" * 32
LONG_KEY = "04" + "22" * 64

BITCOIN = {
    # BIP 173 and BIP 350
    "0014751e76e8199196d454941c45d1b3a323f1433bd6": (
        "witness_v0_keyhash",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    ),
    "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6": (
        "witness_unknown",
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    ),
    "6002751e": ("witness_unknown", "bc1sw50qgdz25j"),
    "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798": (
        "witness_v1_taproot",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    ),
    # the key of the number one, and its hash
    f"21{KEY}ac": ("pubkey", "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"),
    "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac": ("pubkeyhash", "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"),
    "76a914" + "00" * 20 + "88ac": ("pubkeyhash", "1111111111111111111114oLvT2"),
    "a914" + "00" * 20 + "87": ("scripthash", "31h1vYVSYuKP6AhS86fbRdMw9XHieotbST"),
    f"51{'21' + KEY}{'21' + OTHER}52ae": ("multisig", ""),
    f"52{'21' + KEY}{'41' + LONG_KEY}52ae": ("multisig", ""),
    "6a": ("nulldata", ""),
    "6a0568656c6c6f": ("nulldata", ""),
    "6a4c0568656c6c6f": ("nulldata", ""),
    "6a4d050068656c6c6f": ("nulldata", ""),
    "6a5160": ("nulldata", ""),
    # one step beside each of these
    "": ("nonstandard", ""),
    "0015" + "11" * 21: ("nonstandard", ""),
    "0001aa": ("nonstandard", ""),
    "6a0668656c6c6f": ("nonstandard", ""),
    "6a61": ("nonstandard", ""),
    "6a4d0500": ("nonstandard", ""),
    f"21{'05' + KEY[2:]}ac": ("nonstandard", ""),
    f"41{LONG_KEY[:-2]}ac": ("nonstandard", ""),
    f"53{'21' + KEY}{'21' + OTHER}52ae": ("nonstandard", ""),
    f"51{'21' + KEY}{'21' + OTHER}53ae": ("nonstandard", ""),
    "76a914" + "00" * 20 + "88": ("nonstandard", ""),
    "51024e73": ("anchor", "bc1pfeessrawgf"),
}


@pytest.mark.parametrize("script", BITCOIN)
def test_bitcoin(script: str) -> None:
    assert Scripts(CHAINS["bitcoin"].addresses("main")).read(bytes.fromhex(script)) == BITCOIN[script]


def test_the_networks_write_their_own_addresses() -> None:
    p2wsh = bytes.fromhex("00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262")
    p2pkh = bytes.fromhex("76a914751e76e8199196d454941c45d1b3a323f1433bd688ac")
    test = Scripts(CHAINS["bitcoin"].addresses("test"))
    assert test.read(p2wsh)[1] == "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7"
    assert test.read(p2pkh)[1] == "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r"
    assert Scripts(CHAINS["dogecoin"].addresses("main")).read(p2pkh)[1][0] == "D"
    assert Scripts(CHAINS["litecoin"].addresses("main")).read(p2pkh)[1][0] == "L"
    # without SegWit these bytes are a script that nobody knows
    assert Scripts(CHAINS["dogecoin"].addresses("main")).read(p2wsh) == ("nonstandard", "")


def test_a_note_of_bitcoin_sv() -> None:
    note = bytes.fromhex("006a0568656c6c6f")
    sv = CHAINS["bitcoin-sv"]
    assert Scripts(sv.addresses("main"), has_false_return=True).read(note) == ("nulldata", "")
    assert Scripts(CHAINS["bitcoin"].addresses("main")).read(note) == ("nonstandard", "")


SUBSIDIES = {
    ("bitcoin", 0): 50 * 10**8,
    ("bitcoin", 209_999): 50 * 10**8,
    ("bitcoin", 210_000): 25 * 10**8,
    ("bitcoin", 840_000): 312_500_000,
    ("bitcoin", 210_000 * 33): 0,
    ("bitcoin", 210_000 * 64): 0,
    ("litecoin", 840_000): 25 * 10**8,
    ("dogecoin", 99_999): 10**6 * 10**8,
    ("dogecoin", 144_999): 500_000 * 10**8,
    ("dogecoin", 145_000): 250_000 * 10**8,
    ("dogecoin", 200_000): 125_000 * 10**8,
    ("dogecoin", 599_999): 15_625 * 10**8,
    ("dogecoin", 600_000): 10_000 * 10**8,
}


@pytest.mark.parametrize(("chain", "height"), SUBSIDIES)
def test_subsidies_of_the_main_networks(chain: str, height: int) -> None:
    assert CHAINS[chain].subsidy(height, "main") == SUBSIDIES[chain, height]
