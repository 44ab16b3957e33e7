"""Shows what the warehouse holds: rows, spans, what was verified and what could not be, and what to do next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from rich.table import Table

from console.errors import ConsoleError
from console.project import Project
from console.terminal import out, plain
from console.warehouse import connected

_HEADLINE = "block_header_hash"
# The column that a mart's time span is read from; a mart that has none shows its rows only.
_SPANS = {
    "dim_date": "date_day",
    "fct_blocks": "block_date",
    "fct_transactions": "block_date",
    "fct_transaction_outputs": "block_date",
    "fct_transaction_inputs": "block_date",
    "fct_whale_transfers": "block_date",
    "fct_market_prices_daily": "close_date",
    "fct_network_daily": "block_date",
    "fct_supply_age_daily": "block_date",
    "fct_spent_age_daily": "block_date",
    "fct_holders_daily": "block_date",
    "fct_realised_price_distribution": "block_date",
    "fct_unspent_outputs_daily": "block_date",
    "fct_valuation_daily": "block_date",
    "fct_address_balances_snapshot": "observed_date",
    "fct_wealth_distribution_daily": "observed_date",
    "fct_dq_results": "block_date",
}

_CLOSE = """
select format('%s closed at %s USD on %s', a.asset_name, to_char(p.close_price_usd, 'FM999G999G990D00'), p.close_date)
from analytics.fct_market_prices_daily as p
join analytics.dim_asset as a on a.asset_key = p.asset_key
where p.close_price_usd is not null
order by a.symbol != 'BTC', p.close_date desc, p.coingecko_market_cap_usd desc nulls last
limit 1
"""
_TRANSACTIONS = """
select format('%s confirmed %s transactions on %s', a.asset_name, n.transaction_count, n.block_date)
from analytics.fct_network_daily as n
join analytics.dim_asset as a on a.asset_key = n.asset_key
order by n.block_date desc, n.transaction_count desc, a.symbol
limit 1
"""
_REWARD = """
select
    format(
        '%s paid its miners %s %s on %s',
        a.asset_name, trim_scale(n.reward_base / power(10::numeric, a.base_unit_decimals)), a.symbol, n.block_date
    )
from analytics.fct_network_daily as n
join analytics.dim_asset as a on a.asset_key = n.asset_key
where a.symbol != 'ETH'
order by a.symbol != 'DOGE', n.block_date desc
limit 1
"""

# A ledger of an older release names no days.
_LEDGER_SPANS = """
select table_name, min(first_day)::text || ' to ' || max(last_day)::text
from raw_data.load_ledger where first_day is not null group by table_name
"""
# By preference: the columns of tables without slices that say of when a row is.
_TIMES = ("stamp", "date", "observed_at")
_TIMED = """
select distinct on (table_name) table_name::text, column_name::text
from information_schema.columns where table_schema = 'raw_data' and column_name = any(%s)
order by table_name, array_position(array['stamp', 'date', 'observed_at'], column_name::text)
"""
_TIMED_SPAN = "select min({column})::date || ' to ' || max({column})::date from {table}"
# Days between two loaded dump days of a table of which no row was loaded; a slice's id ends with its day.
_MISSING = r"""
with days as (
    select distinct table_name, right(unit, 10)::date as day
    from raw_data.load_ledger
    where channel = 'dumps' and unit ~ '/\d{4}-\d\d-\d\d$'
), spans as (
    select table_name, day + 1 as first_day, lead(day) over (partition by table_name order by day) - 1 as last_day
    from days
)
select
    table_name,
    string_agg(first_day || case when first_day < last_day then ' to ' || last_day else '' end, ', ' order by first_day)
from spans where first_day <= last_day group by table_name order by table_name
"""

# Months of which raw rows are only in dump files.
_ARCHIVED = """
select chain, string_agg(distinct to_char(month, 'YYYY-MM'), ', ' order by to_char(month, 'YYYY-MM'))
from raw_data.archived_months group by chain order by chain
"""


@dataclass(frozen=True)
class Contents:
    """A table or mart: its name, rows and, where it has days, the first and the last."""

    name: str
    rows: int
    span: str


def print_summary(project: Project, environ: Mapping[str, str], environment: str = "local") -> None:
    """Print the summary of an environment's warehouse.

    Raises:
        ConsoleError: The warehouse is not running, or holds nothing yet.
    """
    is_local = environment == "local"
    with connected(project, environ, environment) as connection:
        raw = _contents(connection, "raw_data", _raw_spans(connection))
        marts = _contents(connection, "analytics", {})
        if not marts:
            fill = "make run" if is_local else f"meltano --environment={environment} run warehouse-to-marts"
            raise ConsoleError(f"the warehouse has no marts yet; run `{fill}` first.")
        checks = [*_checks(connection), *_missing(connection), *_archived(connection)]
        headlines = _headlines(connection)
    out.print()
    out.print(_table("raw_data, as received", raw))
    out.print(_table("analytics, what to query", marts))
    for line in checks:
        out.print(line)
    out.print()
    for line in headlines:
        out.print(line)
    if is_local:
        _print_next_steps()


def _raw_spans(connection: "psycopg.Connection[Any]") -> dict[str, str]:
    """The days of raw tables: those that the ledger names, else those of the column that says when a row was true."""
    spans: dict[str, str] = dict(connection.execute(_LEDGER_SPANS).fetchall())
    for table, column in connection.execute(_TIMED, (list(_TIMES),)).fetchall():
        if table not in spans:
            names = {"table": sql.Identifier("raw_data", table), "column": sql.Identifier(column)}
            row = connection.execute(sql.SQL(_TIMED_SPAN).format(**names)).fetchone()
            spans[table] = (row and row[0]) or ""
    return spans


def _contents(connection: "psycopg.Connection[Any]", schema: str, spans: Mapping[str, str]) -> list[Contents]:
    names = connection.execute(
        "select c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
        " where n.nspname = %s and c.relkind in ('r', 'p') and not c.relispartition"
        " and c.relname not in ('load_locks', 'warehouse_origin') order by 1",
        (schema,),
    ).fetchall()
    return [_content(connection, schema, name, spans.get(name, "")) for (name,) in names]


def _content(connection: "psycopg.Connection[Any]", schema: str, name: str, span: str) -> Contents:
    column = _SPANS.get(name)
    days = (
        sql.SQL("min({0})::text || ' to ' || max({0})::text").format(sql.Identifier(column))
        if column
        else sql.SQL("''")
    )
    query = sql.SQL("select count(*), coalesce({days}, '') from {table}")
    row = connection.execute(query.format(days=days, table=sql.Identifier(schema, name))).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return Contents(name, row[0], row[1] or span)


def _table(title: str, contents: list[Contents]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("days")
    for content in contents:
        table.add_row(plain(content.name), f"{content.rows:,}", content.span)
    return table


def _checks(connection: "psycopg.Connection[Any]") -> list[str]:
    """The header hashes, whatever failed, and all other checks of a chain in one line."""
    rows = connection.execute(
        "select check_name, chain, sum(verified_count), sum(unverifiable_count), sum(failed_count),"
        " string_agg(distinct nullif(reasons, ''), '; ')"
        " from analytics.fct_dq_results group by 1, 2 order by 1, 2"
    ).fetchall()
    shown = [row for row in rows if row[0] == _HEADLINE or row[4]]
    lines = [_outcome(f"{name.replace('_', ' ')}, {chain}", counts, why) for name, chain, *counts, why in shown]
    for chain in dict.fromkeys(row[1] for row in rows):
        others = [row for row in rows if row[1] == chain and row not in shown]
        if others:
            counts = [sum(row[place] for row in others) for place in (2, 3, 4)]
            reasons = next((row[5] for row in others if row[3] and row[5]), None)
            lines.append(_outcome(f"{len(others)} more checks, {chain}", counts, reasons and f"{reasons}, ..."))
    if rows:
        lines.append("[dim]by day, with the reasons: analytics.rpt_reconciliation[/dim]")
    return lines or ["[yellow]•[/yellow] nothing to verify: no block is loaded"]


def _missing(connection: "psycopg.Connection[Any]") -> list[str]:
    """A line for each table that lacks dump days between two that are loaded."""
    return [
        f"[yellow]![/yellow] {plain(table)}: no row is loaded of {days}, between days that are"
        for table, days in connection.execute(_MISSING).fetchall()
    ]


def _archived(connection: "psycopg.Connection[Any]") -> list[str]:
    """A line for each chain of which raw months are only in the archive."""
    if connection.execute("select to_regclass('raw_data.archived_months')").fetchone() == (None,):
        return []
    return [
        f"[dim]{plain(chain)}: raw rows of {months} are only in the archive; its days were verified before[/dim]"
        for chain, months in connection.execute(_ARCHIVED).fetchall()
    ]


def _outcome(what: str, counts: Sequence[int], why: str | None) -> str:
    verified, unverifiable, failed = counts
    mark = "[red]✗[/red]" if failed else "[green]✓[/green]"
    parts = [f"{verified:,} verified"]
    if unverifiable:
        parts.append(f"[yellow]{unverifiable:,} not verifiable[/yellow]")
    if failed:
        parts.append(f"[red]{failed:,} failed[/red]")
    reasons = f" [dim]({plain(why)})[/dim]" if why else ""
    return f"{mark} {what}: {', '.join(parts)}{reasons}"


def _headlines(connection: "psycopg.Connection[Any]") -> list[str]:
    """Three numbers with their date; one whose data is not loaded is left out."""
    found = (connection.execute(query).fetchone() for query in (_CLOSE, _TRANSACTIONS, _REWARD))
    return [f"[bold]{plain(row[0])}[/bold]" for row in found if row is not None]


def _print_next_steps() -> None:
    """Three lines: where to look, what to ask, what next."""
    ask = "warehouse psql -c 'select * from analytics.fct_network_daily limit 5'"
    out.print()
    out.print("[dim]look:[/dim]  make dashboard              (pages over the marts, in a browser)")
    out.print(f"[dim]ask:[/dim]   . .venv/bin/activate && {ask}")
    out.print("[dim]next:[/dim]  simulator advance 1 && make run (a day later), make env (live data), make stop")
