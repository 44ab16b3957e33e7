"""A name that PostgreSQL cannot hold is refused before anything is made, with a stream map that mends it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from target_postgres_copy.errors import NameRefusedError

INTEGER = {"type": "integer"}
TEXT = {"type": ["string", "null"]}


def messages(names: list[str], *, stream: str = "things", keys: tuple[str, ...] = ("id",)) -> list[dict[str, Any]]:
    properties = {"id": INTEGER, **dict.fromkeys(names, TEXT)}
    record = {"id": 1, **{name: f"value {place}" for place, name in enumerate(names)}}
    return [
        {"type": "SCHEMA", "stream": stream, "key_properties": list(keys), "schema": {"properties": properties}},
        {"type": "RECORD", "stream": stream, "record": record},
    ]


REFUSED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "64 letters": (messages(["a" * 64]), "its property 'aaa.* has 64 bytes, and PostgreSQL cuts names off after 63"),
    "33 Cyrillic letters": (messages(["ж" * 33]), "its property 'жжж.* has 66 bytes"),
    "equal in 63 bytes": (messages(["a" * 63, "a" * 63 + "b"]), "its property 'aaa.*has 64 bytes"),
    "no identifier": (messages(["a b" * 30]), "its property 'a ba b.* has 90 bytes"),
    "empty": (messages([""]), "its property '' is empty, and PostgreSQL has no column or table without a name"),
    "NUL": (messages(["a\0b"]), "holds a NUL character"),
    "system column": (messages(["ctid"]), "its property 'ctid' has the name of a system column"),
    "load": (messages(["_load_id"]), "its property '_load_id' has the name of the column that names a row"),
    "stream": (messages([], stream="s" * 76), "its table's name 'sss.*' has 76 bytes"),
    "Cyrillic stream": (messages([], stream="ж" * 40), "its table's name 'жжж.*' has 80 bytes"),
    "empty stream": (messages([], stream=""), "its table's name '' is empty"),
    "ledger": (messages([], stream="load_ledger"), "its table's name 'load_ledger' is the name of a table"),
    "locks": (messages([], stream="load_locks"), "'load_locks' is the name of a table of the loader's own"),
    "origin": (messages([], stream="warehouse_origin"), "'warehouse_origin' is the name of a table of the loader"),
    "lost key": (messages([], keys=("id", "idd")), "its key property 'idd' is not in its schema, which has "),
    "long key": (messages(["k" * 70], keys=("id", "k" * 70)), "its property 'kkk.* has 70 bytes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_name_is_refused_and_mended_by_the_map_that_is_named(feed: Any, database: Any, case: str) -> None:
    sent, what = REFUSED[case]

    with pytest.raises(NameRefusedError, match=f"{what}.*so nothing of it was loaded: set stream_maps to") as caught:
        feed(sent)
    assert database.tables() == []

    reported = re.search(r"set stream_maps to (\{.*\})", str(caught.value))
    assert reported is not None
    feed(sent, stream_maps=json.loads(reported[1]))

    (table,) = set(database.tables()) - {"load_ledger", "load_locks"}
    ((row,),) = database.query(f"select to_jsonb(held) from raw_data.{table} as held")
    values = [value for name, value in row.items() if not name.startswith("_")]
    assert sorted(map(str, values)) == sorted(map(str, sent[1]["record"].values()))


def test_a_flattened_name_is_refused(feed: Any, database: Any) -> None:
    schema, record = messages([])
    schema["schema"]["properties"]["n" * 40] = {"type": "object", "properties": {"m" * 40: TEXT}}
    record["record"]["n" * 40] = {"m" * 40: "x"}

    with pytest.raises(NameRefusedError, match=r"'n+__m+\.*' has 82 bytes.*set flattening_max_key_length"):
        feed([schema, record], flattening_enabled=True, flattening_max_depth=1)
    assert database.tables() == []

    feed([schema, record], flattening_enabled=True, flattening_max_depth=1, flattening_max_key_length=60)
    assert len(database.query("select 1 from raw_data.things")) == 1


def test_a_schema_s_name(feed: Any, database: Any) -> None:
    with pytest.raises(NameRefusedError, match=r"the schema 'ttt.* has 70 bytes.*set default_target_schema"):
        feed(messages([]), default_target_schema="t" * 70)
    assert database.tables() == []
