"""The encodings, against published vectors of the real chains."""

import hashlib

import pytest

from simulator.blockchair import encoding
from simulator.blockchair.envelope import encode
from simulator.blockchair.ripemd160 import ripemd160, ripemd160_in_python
from simulator.blockchair.times import median_time
from simulator.blockchair.utxo import mine


def wire(shown: str) -> bytes:
    return bytes.fromhex(shown)[::-1]


def test_genesis_header_hashes_to_its_hash() -> None:
    root = wire("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b")
    head = encoding.header(1, (bytes(32), root), 1231006505, 486604799, 2083236893)
    shown = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    assert encoding.shown(encoding.sha256d(head)) == shown
    assert encoding.work_of(486604799) == 0x100010001
    assert encoding.difficulty_of(486604799) == 1
    assert encoding.difficulty_of(387294044) == pytest.approx(13008091666972, abs=1)


def test_merkle_root_of_real_block_with_four_transactions() -> None:
    leaves = [
        "8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
        "fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
        "6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
        "e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
    ]  # Bitcoin block 100000
    root = encoding.merkle_root([wire(leaf) for leaf in leaves])
    assert encoding.shown(root) == "f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766"


def test_odd_leaf_is_paired_with_itself() -> None:
    leaves = [bytes([number]) * 32 for number in range(3)]
    assert encoding.merkle_root(leaves) == encoding.merkle_root([*leaves, leaves[-1]])
    assert encoding.merkle_root(leaves[:1]) == leaves[0]


@pytest.mark.parametrize("bits", [0x1D00FFFF, 0x2000FFFF, 0x1B0404CB, 0x170B8C8B, 0x03123456])
def test_bits_survive_the_way_over_the_target(bits: int) -> None:
    assert encoding.bits_of(encoding.target_of(bits)) == bits


def test_sign_bit_of_bits_stays_clear() -> None:
    assert encoding.bits_of(0x80 << 232) == 0x1F008000
    assert encoding.target_of(0x1F008000) == 0x80 << 232


def test_addresses() -> None:
    # The key of Bitcoin's first coinbase, and the example of BIP 173
    key = (
        "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
        "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
    )
    assert encoding.base58check(b"\0" + encoding.hash160(bytes.fromhex(key))) == "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
    program = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")
    assert encoding.segwit_address("bc", program) == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
        ("abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        ("message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
        ("12345678901234567890" * 4, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
    ],
)
def test_ripemd160_with_and_without_openssl(text: str, digest: str) -> None:
    assert ripemd160_in_python(text.encode()).hex() == digest
    assert ripemd160(text.encode()).hex() == digest


def test_counts_and_pushed_numbers() -> None:
    assert [encoding.count(number).hex() for number in (0, 252, 253, 65536)] == ["00", "fc", "fdfd00", "fe00000100"]
    shown = [encoding.push_number(number).hex() for number in (0, 1, 16, 17, 127, 128, 227836, 5_000_000)]
    assert shown == ["00", "51", "60", "0111", "017f", "028000", "03fc7903", "03404b4c"]


def test_mining_finds_the_first_nonce() -> None:
    head = encoding.header(1, (bytes(32), bytes(32)), 1, 0x2000FFFF, 0)
    target = encoding.target_of(0x2000FFFF)
    nonce, digest = mine(head, target)
    hashes = [
        hashlib.sha256(hashlib.sha256(head[:76] + n.to_bytes(4, "little")).digest()).digest() for n in range(nonce + 1)
    ]
    assert hashes[-1] == digest
    assert [int.from_bytes(one, "little") <= target for one in hashes] == [False] * nonce + [True]


def test_median_takes_the_upper_of_two() -> None:
    assert median_time([5, 1]) == 5
    assert median_time([9, 1, 5]) == 5


def test_json_as_php_writes_it() -> None:
    value = encode({"a": [2.0, 5.96e-08, 1e25, 0.5, 1 << 70], "b": {}, "c": "x/y\u00e9", "d": None, "e": [True, "0"]})
    assert value == (
        '{"a":[2,5.96e-8,1.0e+25,0.5,1180591620717411303424],"b":[],"c":"x\\/y\\u00e9","d":null,"e":[true,"0"]}'
    )
