"""The page of streams and raw tables, out of what the taps say when they are asked for their catalogue."""

from collections.abc import Iterator, Mapping
from typing import Any

from texts import page, table

# By JSON schema type and format, the type of the raw table's column.
_TYPES = {"integer": "bigint", "number": "numeric", "boolean": "boolean", "object": "jsonb", "array": "jsonb"}
_TIMES = {"date-time": "timestamptz", "date": "date"}
_BIGINT = 2**63 - 1


def column_type(schema: Mapping[str, Any]) -> str:
    """The type that the loader gives a column that it makes."""
    kinds = [kind for kind in schema.get("type", ["string"]) if kind != "null"]
    if kinds == ["integer"] and schema.get("maximum", 0) > _BIGINT:
        return "numeric"
    return _TIMES.get(schema.get("format", "")) or _TYPES.get(kinds[0], "text")


def _columns(stream: Mapping[str, Any]) -> Iterator[list[str]]:
    """A stream's columns, each with type and, where the tap says it, its meaning."""
    keys = stream.get("key_properties") or []
    for name, schema in stream["schema"]["properties"].items():
        yield [f"`{name}`" + (" (key)" if name in keys else ""), column_type(schema), schema.get("description", "")]


def pages(introspected: Mapping[str, Any]) -> dict[str, str]:
    """The page, by its name."""
    sections = []
    for tap, streams in introspected["streams"].items():
        sections.append(f"## {tap}")
        for stream in sorted(streams, key=lambda one: str(one["stream"])):
            sections += [f"### {stream['stream']}", "", table(["column", "type", "meaning"], _columns(stream))]
    text = page(
        "Streams and raw tables",
        "Look up a stream's columns here. Each stream fills the table of the same name in the schema `raw_data`. These"
        " are the streams of the default chains; another chain has the same tables under its own name. The loader adds"
        " the columns `_load_id` and `_sdc_*` to each table.",
        *sections,
        read_next="[Raw tables when a schema changes](raw-tables.md) says what the loader does with a new column,"
        " [Slices](slices.md) what is replaced together.",
    )
    return {"reference/streams.md": text}
