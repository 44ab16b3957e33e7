"""What follows from a column's name and type: its name in Power BI, its type there, its format, its folder.

Types are those of docs/guides/power-bi.md: what Power BI cannot hold exactly has to be converted in the warehouse,
where the conversion is written down, so it is refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powerbi_project.errors import ProjectError

if TYPE_CHECKING:
    from powerbi_project.contract import Column, Table

# PostgreSQL's types, and what they are in a semantic model. `decimal` is Power BI's fixed decimal, of four places.
TYPES = {
    "bigint": "int64",
    "boolean": "boolean",
    "date": "dateTime",
    "double precision": "double",
    "integer": "int64",
    "numeric(19,4)": "decimal",
    "text": "string",
    "time": "dateTime",
    "timestamp": "dateTime",
}
FORMATS = {"date": "yyyy-mm-dd", "time": "hh:nn", "timestamp": "yyyy-mm-dd hh:nn:ss"}
# Words that are not written as a title is.
_WORDS = {
    "adj": "Adjusted",
    "dq": "DQ",
    "coingecko": "CoinGecko",
    "hhi": "HHI",
    "id": "ID",
    "iso": "ISO",
    "mvrv": "MVRV",
    "nupl": "NUPL",
    "nvt": "NVT",
    "of": "of",
    "roi": "ROI",
    "sopr": "SOPR",
    "usd": "USD",
    "wu": "WU",
}
_NUMBERS = ("int64", "double", "decimal")
_COUNTS = ("_count", "_bytes", "_wu", "_used", "_limit", "_seconds")
_FOLDERS = {"_key": "Keys", "_base_text": "Every digit", "_usd": "USD", "_native": "Coins"}
_TRUST = ("is_", "has_", "price_status", "coverage_ratio", "priced_ratio", "sopr_coverage_ratio")


def column_name(column: Column) -> str:
    """A column's name in Power BI: words with capitals, in place of underscores."""
    given = column.meta.get("name")
    if given:
        return str(given)
    return " ".join(_WORDS.get(word, word[:1].upper() + word[1:]) for word in column.source.split("_"))


def model_type(column: Column) -> str:
    """A column's type in the semantic model.

    Raises:
        ProjectError: Power BI has no type that holds it exactly.
    """
    try:
        return TYPES[column.data_type]
    except KeyError:
        raise ProjectError(
            f"{column.source} is {column.data_type}, which Power BI cannot hold; convert it in the model "
            f"(docs/guides/power-bi.md), or leave it out by `without`. It can be: {', '.join(TYPES)}."
        ) from None


def format_string(column: Column) -> str | None:
    """How a column's values are shown; none for text and truth values."""
    given = column.meta.get("format") or FORMATS.get(column.data_type)
    if given:
        return str(given)
    kind = model_type(column)
    if kind == "int64":
        return "#,0" if column.source.endswith(_COUNTS) else "0"
    if kind not in _NUMBERS:
        return None
    if column.source.endswith("_usd"):
        return r"\$#,0.00" if kind == "decimal" else r"\$#,0.00######"
    return "0.00%" if column.source.endswith(("_share", "_ratio")) else "#,0.########"


def display_folder(column: Column) -> str | None:
    """The folder that a column lies in, in the list of fields."""
    given = column.meta.get("folder")
    if given:
        return str(given)
    if column.source.startswith(_TRUST):
        return "Trust"
    return next((folder for ending, folder in _FOLDERS.items() if column.source.endswith(ending)), None)


def is_hidden(table: Table, column: Column) -> bool:
    """Whether a report's author does not see it: keys, days that the calendar has, and what measures add up.

    Rows that are read one by one are there to be looked at, so their numbers show.
    """
    if "hidden" in column.meta:
        return bool(column.meta["hidden"])
    if column.is_key or column.source == table.meta.get("range"):
        return True
    has_calendar = any(one.source == "date_key" for one in table.columns)
    return table.mode == "import" and (model_type(column) in _NUMBERS or (column.data_type == "date" and has_calendar))
