"""Filters that look into bytes and texts: `*_bin` and fail_reason by substring, data scripts by prefix."""

import re
from typing import Any

import pytest


def readable(pieces: list[bytes]) -> str:
    """Two neighbouring letters or digits in some of the bytes, as a filter can name them."""
    found = next(match for match in (re.search(rb"[A-Za-z0-9]{2}", piece) for piece in pieces) if match)
    return found[0].decode()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("bitcoin/blocks", "coinbase_data"),
        ("dogecoin/blocks", "coinbase_data"),
        ("ethereum/blocks", "extra_data"),
        ("bitcoin/outputs", "script"),
        ("dogecoin/outputs", "script"),
    ],
)
def test_bytes_are_found_by_a_part(serve: Any, path: str, name: str) -> None:
    world = serve(days=2, blocks_per_day=12, transactions_per_block=6, chains=(path.partition("/")[0],))
    query = "q=type(nulldata)" if name == "script" else "q=id(0..)"
    rows = world.everything(f"{path}?{query}")
    part = readable([bytes.fromhex(row[f"{name}_hex"]) for row in rows])
    expected = [row for row in rows if part.encode() in bytes.fromhex(row[f"{name}_hex"])]
    found = world.everything(f"{path}?q={name}_bin(~{part})")
    assert found == expected != []
    assert f"{name}_bin" not in found[0]
    assert world.everything(f"{path}?q=not,{name}_bin(~{part}),{query[2:]}") == [
        row for row in rows if row not in found
    ]
    for wrong in (part, "~", f"^{part}"):
        world.api(f"{path}?q={name}_bin({wrong})", 400)
    world.api(f"{path}?s={name}_bin(asc)", 400)


def test_a_prefix_of_a_script_finds_data_only(served: Any) -> None:
    rows = served.everything("bitcoin/outputs?q=type(nulldata)")
    assert served.everything("bitcoin/outputs?q=script_hex(^6a)") == rows != []
    assert served.api("bitcoin/outputs?q=script_hex(^76a9)")["data"] == []


def test_reasons_are_found_whole_and_by_a_part(served: Any) -> None:
    whole = served.everything("ethereum/calls?q=fail_reason(Out of gas)")
    assert {row["fail_reason"] for row in whole} == {"Out of gas"}
    part = served.everything("ethereum/calls?q=fail_reason(~Bad)")
    assert {row["fail_reason"] for row in part} == {"Bad instruction", "Bad jump destination"}
