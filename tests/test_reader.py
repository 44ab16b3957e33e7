"""The login of BI tools reads the marts, also after a rebuild, and can do nothing else."""

from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors

from checkout import Checkout
from worlds import MONTHS_END, World

# Read-only is the login's own setting and can be switched off; these must fail by right.
ATTEMPTS = [
    "select * from raw_data.load_ledger",
    "select * from staging.stg_blockchair__bitcoin_blocks",
    "select * from intermediate.int_blocks_unioned",
    "select * from dq.assert_no_integrity_failures",
    "insert into analytics.dim_value_band (value_band_key, value_band, band_order) values (1, 'mine', 9)",
    "update analytics.dim_asset set symbol = 'MINE'",
    "delete from analytics.fct_transactions",
    "truncate analytics.fct_blocks",
    "drop table analytics.dim_date",
    "create table analytics.mine (n integer)",
    "create temporary table mine (n integer)",
    "set role transformer",
]
# A table that is swapped, one that follows the chain, one cut by month, and the table and view that BI tools read.
OF_EACH_KIND = ("dim_asset", "fct_blocks", "fct_transactions", "bi_network_daily", "bi_blocks")
OTHERS = """
    select format('%I.%I', nspname, relname)
    from pg_class
    inner join pg_namespace on pg_namespace.oid = relnamespace
    where nspname not in ('analytics', 'pg_catalog', 'information_schema', 'pg_toast')
        and relkind in ('r', 'p', 'v', 'm')
        and has_schema_privilege('bi_reader', pg_namespace.oid, 'usage')
        and has_table_privilege('bi_reader', pg_class.oid, 'select')
"""


@pytest.fixture(scope="module")
def built(filled: Callable[[World], Checkout]) -> Checkout:
    """A warehouse whose marts were built, and one of each kind then built anew."""
    checkout = filled(MONTHS_END)
    checkout.run("meltano", "invoke", "dbt-postgres", "run", "--full-refresh", "--select", *OF_EACH_KIND)
    return checkout


def test_every_mart_can_be_read(built: Checkout) -> None:
    tables = "select tablename from pg_tables where schemaname = 'analytics'"
    names = {str(name) for (name,) in built.sql(tables)}
    assert {"dim_asset", "fct_blocks", "fct_transactions", "fct_market_prices_daily"} <= names
    for name in names:
        built.sql(f'select * from analytics."{name}" limit 1', role="bi_reader")  # noqa: S608


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_nothing_else_can_be_done(built: Checkout, attempt: str) -> None:
    with psycopg.connect(built.url("bi_reader")) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(f"set transaction read write; {attempt}".encode())


def test_nothing_else_can_be_read(built: Checkout) -> None:
    assert built.sql(OTHERS) == []
