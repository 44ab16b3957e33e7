"""Power BI's measures evaluated in Python, on rows of the warehouse.

The engine passes over what it does not know: decimals, tables, relationships, filters. So it is given floats, and each
name is looked up first; what it did not evaluate is an error here.
"""

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from pbix_mcp.dax import engine

from powerbi_project.contract import Contract
from powerbi_project.conventions import column_name
from powerbi_project.model import SemanticModel, read_model

Rows = list[tuple[Any, ...]]
Query = Callable[[str], Rows]
DEFINITION = Path(__file__).resolve().parents[1] / "analyze/powerbi/Crypto.SemanticModel/definition"
# The engine's words for a relationship: from many to one, filtering one way.
ONE_WAY, MANY, ONE = 1, 2, 1


def cell(value: object) -> object:
    """A value as the engine takes it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - Power BI's times have no zone
    return value


def days_between(first: str, last: str) -> list[dt.datetime]:
    """Each day from the first to the last."""
    start, end = dt.datetime.fromisoformat(first), dt.datetime.fromisoformat(last)
    return [start + dt.timedelta(days=number) for number in range((end - start).days + 1)]


def context(symbols: list[str], days: tuple[str, str]) -> dict[str, list[Any]]:
    """The filters of coins and days in view."""
    return {"Asset.Symbol": list(symbols), "Date.Date": days_between(*days)}


def agree(found: float | None, number: object) -> bool:
    """Whether a measure and a number of SQL are the same, as far as floats go; blank is null."""
    if found is None or number is None:
        return found is None and number is None
    return math.isclose(found, float(number), rel_tol=1e-12, abs_tol=1e-12)  # type: ignore[arg-type]


class Measures:
    """The measures of the project's model over the rows of one schema."""

    def __init__(self, contract: Contract, query: Query, schema: str) -> None:
        """Read all tables.

        Args:
            contract: What dbt promises.
            query: Asks the warehouse.
            schema: Where the tables are, `analytics` or a copy.
        """
        self.model: SemanticModel = read_model(DEFINITION)
        self.tables: dict[str, dict[str, Any]] = {}
        for table in contract.tables:
            columns = ", ".join(f'"{column.source}"' for column in table.columns)
            unknown = f" where {table.primary_key} <> -1" if table.meta.get("without_unknown") else ""
            rows = query(f'select {columns} from "{schema}"."{table.model}"{unknown}')  # noqa: S608
            self.tables[table.name] = {
                "columns": [column_name(column) for column in table.columns],
                "rows": [[cell(value) for value in row] for row in rows],
            }
        for found in self.model.tables:
            names = [column.name for column in found.columns]
            there = self.tables.setdefault(found.name, {"columns": names, "rows": []})
            assert there["columns"] == names, found.name
        money = {
            found.name: [column.name for column in found.columns if column.data_type == "decimal"]
            for found in self.model.tables
        }
        engine.mark_currency_columns(self.tables, money)
        self.definitions = {measure.name: measure.expression for measure in self.model.measures}
        self.cache: dict[Any, Any] = {}

    def evaluate(self, name: str, filters: Mapping[str, Sequence[Any]], group: str = "") -> float | None:
        """One measure in a context.

        Args:
            name: The measure.
            filters: Values by `Table.Column`.
            group: The one of them by which a visual is grouped, if it is.

        Returns:
            Its value; None for blank.
        """
        for key in filters:
            table, column = key.split(".", 1)
            assert column in self.tables[table]["columns"], key
        assert name in self.definitions
        state = engine._engine
        problems = (state.eval_errors, state.unsupported_functions, state.unsupported_by_measure, state.timed_out)
        for problem in problems:
            problem.clear()
        chosen = {key: list(values) for key, values in filters.items()}
        value = engine.evaluate_measures_batch(
            [name],
            self.tables,
            self.definitions,
            chosen,
            date_table="Date",
            date_column="Date",
            date_tables={"Date": "Date"},
            relationships=[
                {
                    "FromTable": one.from_table,
                    "FromColumn": one.from_column,
                    "ToTable": one.to_table,
                    "ToColumn": one.to_column,
                    "IsActive": one.properties.get("isActive") != "false",
                    "CrossFilteringBehavior": ONE_WAY,
                    "FromCardinality": MANY,
                    "ToCardinality": ONE,
                }
                for one in self.model.relationships
            ],
            group_keys={group} if group else None,
            selected_filters={key: values for key, values in chosen.items() if key != group} if group else None,
            measure_tables={measure.name: measure.table for measure in self.model.measures},
            model_columns={name: set(table["columns"]) for name, table in self.tables.items()},
            cache=self.cache,
        )[name]
        assert not any(problems), (name, [problem for problem in problems if problem])
        assert value is None or isinstance(value, (bool, int, float, Decimal)), (name, value)
        assert not isinstance(value, float) or math.isfinite(value), (name, value)
        return None if value is None else float(value)
