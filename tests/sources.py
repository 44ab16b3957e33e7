"""What the simulator serves at this moment, read without the tap: the truth that raw tables are held against."""

import gzip
import json
import re
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
Types = Mapping[str, str]

_ETHEREUM = ("blocks", "transactions", "calls", "uncles", "erc20_transactions", "erc20_tokens")
_UTXO = ("blocks", "transactions", "outputs", "inputs")
# Tables in which a row has a name of its own; the others may hold equal rows.
KEYS = {"blocks": ("id",), "uncles": ("parent_block_id", "index")}
_SORTED_BY = {"blocks": "id", "uncles": "parent_block_id", "erc20_tokens": "id"}
_PAGE = 100


def get(url: str) -> bytes:
    """The body of an answer."""
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - loopback
        content: bytes = answer.read()
    return content


def text_rows(packed: bytes) -> list[dict[str, str]]:
    """The rows of a dump file, as text."""
    header, *lines = gzip.decompress(packed).decode().split("\n")
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


def tables_of(chain: str) -> tuple[str, ...]:
    """The tables of a chain that have dumps."""
    return _ETHEREUM if chain == "ethereum" else _UTXO


def time_column(table: str) -> str:
    """The column by which days are cut."""
    return "spending_time" if table == "inputs" else "time"


def dump_rows(url: str, chain: str, table: str, types: Types) -> tuple[set[date], list[Row]]:
    """Published days of a table, and their rows with every column that a loader fills."""
    folder = f"{url}/dumps/{chain}/{table.replace('erc20_', 'erc-20/')}/"
    days, rows = set(), []
    for name in re.findall(r'href="([^"]+\.gz)"', get(folder).decode()):
        latest = "_latest." in name
        published = None if latest else datetime.strptime(name[-15:-7], "%Y%m%d").replace(tzinfo=UTC).date()
        days |= {published} if published else set()
        for number, fields in enumerate(text_rows(get(folder + name)), start=2):
            row = {column: from_dump(text, types[column]) for column, text in fields.items()}
            row |= {"_channel": "dumps", "_line": number, "_unit": f"{chain}/{table}/{published or 'latest'}"}
            rows.append(row if latest else row | {"_dump_day": published})
    return days, rows


def api_rows(url: str, chain: str, table: str, types: Types) -> list[Row]:
    """All rows that the API has of a table, in the dumps' form, with the columns that the table has."""
    path = f"{url}/blockchair/{chain}/{table.replace('erc20_', 'erc-20/')}"
    rows: list[Row] = []
    if table == "inputs":  # the API shows them as the other side of an output
        outputs = api_rows(url, chain, "outputs", {**types, "spending_block_id": "bigint"})
        return [row for row in outputs if row["spending_block_id"] is not None]
    while True:
        query = f"?s={_SORTED_BY.get(table, 'block_id')}(asc)&limit={_PAGE}&offset={len(rows)}"
        found = json.loads(get(path + query), parse_float=Decimal)["data"]
        rows += [
            {column: from_api(column, row[column], kind) for column, kind in types.items() if column in row}
            for row in found
        ]
        if len(found) < _PAGE:
            return [row | {"_channel": "api", "_dump_day": None} for row in rows]


def from_dump(text: str, kind: str) -> object:
    """What a dump's text means in a column of this SQL type."""
    return None if text == "\\N" else _READERS[kind](text)


def from_api(column: str, value: object, kind: str) -> object:
    """What an API's value means in a column of this SQL type."""
    if value is None:
        return -1 if column == "is_spendable" else None
    text = str(int(value)) if isinstance(value, bool) else str(value)
    return _READERS[kind](text.removeprefix("0x").lower() if text.startswith("0x") else text)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_READERS: dict[str, Callable[[str], object]] = {
    "numeric": Decimal,
    "bigint": int,
    "smallint": int,
    "boolean": {"1": True, "0": False}.__getitem__,
    "timestamp with time zone": _moment,
    "text": str,
    "character varying": str,
}
