"""What a page is made of."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from dashboard.charts import Figure
from dashboard.view import View
from dashboard.warehouse import Rows

Datasets = Mapping[str, Rows]
_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Column:
    """A column that is shown: its name in the query, what it is called, and its kind (`dashboard.units`)."""

    name: str
    label: str
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """Rows of a dataset as a table, which can be had as CSV."""

    dataset: str
    title: str
    columns: tuple[Column, ...]
    note: str = ""
    is_open: bool = False
    newest_first: bool = False


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        name: In its address.
        title: In its heading.
        question: What it answers.
        datasets: Names of queries, `sql/{page}_{dataset}.sql`, or `sql/{dataset}.sql` where pages share one.
        headline: Figures of the dataset `headline`, a row for each coin.
        draw: Makes the charts of the datasets.
        tables: What is shown as rows.
        needs_chain: Whether a coin without a chain has nothing to show here.
        credit: Whose data it shows.
    """

    name: str
    title: str
    question: str
    datasets: tuple[str, ...]
    headline: tuple[Column, ...]
    draw: Callable[[Datasets, View], Iterable[Figure]]
    tables: tuple[Table, ...] = field(default=())
    needs_chain: bool = True
    credit: str = "Blocks by Blockchair. Price data by CoinGecko."

    def sql(self, dataset: str) -> str:
        """The query of a dataset: the page's own, or one that pages share."""
        own = f"{self.name}_{dataset}"
        return read_sql(own if (_SQL / f"{own}.sql").is_file() else dataset)


@cache
def read_sql(name: str) -> str:
    """A query of this package."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")
