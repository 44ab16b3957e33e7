"""Names that PostgreSQL can hold: refused before anything is made, with the stream map that gives another one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalSyncError

from target_postgres_copy.ledger import TABLE as LEDGER
from target_postgres_copy.lineage import LOAD_ID
from target_postgres_copy.locks import TABLE as LOCKS
from target_postgres_copy.origin import TABLE as ORIGIN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

# Bytes of an identifier, from PostgreSQL's NAMEDATALEN of 64. A longer one is cut off without an error.
_LONGEST = 63
_OWN_TABLES = {LEDGER, LOCKS, ORIGIN}
# https://www.postgresql.org/docs/current/ddl-system-columns.html
_SYSTEM = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
_SHOWN = 80


class NameRefusedError(FatalSyncError):
    """A stream whose table or columns PostgreSQL cannot name as the tap does."""


def check(  # noqa: PLR0913 - what has a name
    stream: str,
    table: str,
    schema: str | None,
    columns: Collection[str],
    keys: Sequence[str],
    *,
    longest_suffix: str = "",
) -> None:
    """Make sure that a stream's table can be made and that its columns are all told apart.

    Args:
        stream: The stream's name.
        table: Its table's.
        schema: The schema's; None for the session's own.
        columns: The columns that the stream's schema asks for.
        keys: The stream's key properties.
        longest_suffix: What names of its months add to the table's.

    Raises:
        NameRefusedError: If PostgreSQL cannot hold a name, a name is the loader's own, or a key is no column.
    """
    if schema is not None and (fault := _fault(schema)):
        raise NameRefusedError(
            f"the schema {_shown(schema)} {fault}, so nothing was loaded: set default_target_schema to another name"
        )
    fault = "is the name of a table of the loader's own" if table in _OWN_TABLES else _fault(table, longest_suffix)
    if fault:
        raise _refused(stream, f"its table's name {_shown(table)} {fault}", {"__alias__": "another_name"})
    lost = [key for key in keys if key not in columns]
    if lost:
        kept = [key for key in keys if key in columns]
        what = f"its key property {_shown(lost[0])} is not in its schema, which has {', '.join(sorted(columns)[:10])}"
        # With the keys that are left; where none is, rows are appended.
        raise _refused(stream, what, {"__key_properties__": kept})
    for name, what in _unfit(columns):
        raise _refused(stream, f"its property {_shown(name)} {what}", _renamed(name, keys))


def _unfit(columns: Collection[str]) -> Iterator[tuple[str, str]]:
    for name in columns:
        if fault := _fault(name):
            yield name, fault
        elif name in _SYSTEM:
            yield name, "has the name of a system column"
        elif name == LOAD_ID:
            yield name, "has the name of the column that leads a row back to its load"


def _fault(name: str, suffix: str = "") -> str | None:
    if not name:
        return "is empty, and PostgreSQL has no column or table without a name"
    if "\0" in name:
        return "holds a NUL character, which no name in PostgreSQL can"
    size, most = len(name.encode()), _LONGEST - len(suffix)
    if size > most:
        of_months = f" and {most} where the table is cut into months" if suffix else ""
        return f"has {size} bytes, and PostgreSQL cuts names off after {_LONGEST}{of_months}"
    return None


def _renamed(name: str, keys: Sequence[str]) -> dict[str, Any]:
    expression = name if name.isidentifier() and name.isascii() else f"record[{name!r}]"
    renamed: dict[str, Any] = {"another_name": expression, name: None}
    if name in keys:
        renamed["__key_properties__"] = ["another_name" if key == name else key for key in keys]
    return renamed


def _refused(stream: str, what: str, stream_map: dict[str, Any]) -> NameRefusedError:
    # Flattening comes after stream maps, and joins names by two underscores.
    flat = " (of a flattened property, rename the outermost one, or set flattening_max_key_length)"
    mended = json.dumps({stream: stream_map}, ensure_ascii=False)
    hint = flat if any("__" in name[1:-1] for name in stream_map if not name.startswith("__")) else ""
    return NameRefusedError(
        f"stream {_shown(stream)}: {what}, so nothing of it was loaded: set stream_maps to {mended}{hint}"
    )


def _shown(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}...")
