"""The login of BI tools reads the marts, also after a rebuild, and can do nothing else; views of others stay."""

from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors

from checkout import Checkout
from worlds import MONTHS_END, World

# Read-only is the login's own setting and can be switched off; these must fail by right.
ATTEMPTS = [
    "select * from raw_data.load_ledger",
    # what loads and builds lock, so that one comes after the other
    "lock table raw_data.load_locks in access share mode",
    "select from raw_data.load_locks for update",
    "select from raw_data.load_locks for share",
    "lock table intermediate.model_watermarks in access share mode",
    "select * from staging.stg_blockchair__utxo_blocks",
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
OTHERS = """
    select format('%I.%I', nspname, relname)
    from pg_class
    inner join pg_namespace on pg_namespace.oid = relnamespace
    where nspname not in ('analytics', 'pg_catalog', 'information_schema', 'pg_toast')
        and relkind in ('r', 'p', 'v', 'm')
        and has_schema_privilege('bi_reader', pg_namespace.oid, 'usage')
        and has_table_privilege('bi_reader', pg_class.oid, 'select')
"""


# Every relation that reports read, but the months of partitioned tables.
MARTS = """
    select relname
    from pg_class
    where relnamespace = 'analytics'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition
    order by 1
"""


# Each comment of a mart and its columns, and the transaction that wrote it.
COMMENTS = """
    select relname, coalesce(attname, ''), description, pg_description.xmin::text
    from pg_description
    join pg_class on pg_class.oid = objoid
    left join pg_attribute on attrelid = objoid and attnum = objsubid and attnum > 0
    where classoid = 'pg_class'::regclass and relnamespace = 'analytics'::regnamespace and not relispartition
"""
SPOILT = {("dim_date", ""), ("dim_date", "date_key"), ("bi_blocks", "")}


def comments_of(checkout: Checkout) -> dict[tuple[str, str], tuple[object, ...]]:
    """By mart and column, of which the mart itself has none."""
    return {(str(mart), str(column)): tuple(said) for mart, column, *said in checkout.sql(COMMENTS)}


def build(checkout: Checkout, *words: str, fails: bool = False) -> str:
    """Run models; what dbt prints."""
    done = checkout.run("meltano", "invoke", "dbt-postgres", "run", *words, check=not fails)
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def names(filled: Callable[[World], Checkout]) -> list[str]:
    """A built warehouse's marts, on each of which somebody made a view, a materialized view and a grant."""
    checkout = filled(MONTHS_END)
    names = [str(name) for (name,) in checkout.sql(MARTS)]
    with psycopg.connect(checkout.url("admin")) as connection:
        connection.execute(
            "create role analyst; create schema mine authorization analyst; grant usage on schema analytics to analyst;"
            "grant select on all tables in schema analytics to analyst; set role analyst"
        )
        for name in names:
            connection.execute(f"create view mine.{name} as select * from analytics.{name}".encode())  # noqa: S608
            connection.execute(f"create materialized view mine.kept_{name} as select * from mine.{name}".encode())  # noqa: S608
    return names


@pytest.fixture(scope="module")
def comments(checkout: Checkout, names: list[str]) -> dict[tuple[str, str], tuple[object, ...]]:
    """The comments of all marts, before one was taken away and two were changed."""
    assert names
    before = comments_of(checkout)
    checkout.sql_do(
        "comment on table analytics.dim_date is null;"
        r"comment on column analytics.dim_date.date_key is 'it''s 5 % \';"
        "comment on view analytics.bi_blocks is 'older'"
    )
    return before


@pytest.fixture(scope="module")
def built(checkout: Checkout, names: list[str], comments: object) -> Checkout:
    """The warehouse after all marts were built anew, which every build does of those that are small."""
    assert comments
    assert len(names) > 50
    build(checkout, "--full-refresh", "--select", "path:models/marts", "path:models/bi")
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


def test_views_and_grants_of_others_outlive_builds_and_rebuilds(built: Checkout, names: list[str]) -> None:
    with psycopg.connect(built.url("admin")) as connection:
        connection.execute("set role analyst")
        for name in names:
            counts = connection.execute(
                f"select (select count(*) from mine.{name}), (select count(*) from analytics.{name}),"  # noqa: S608
                f" (select count(*) from mine.kept_{name})".encode()
            ).fetchone()
            assert counts is not None
            assert counts[0] == counts[1] == counts[2], name
        connection.execute("refresh materialized view mine.kept_dim_asset")


def test_comments_are_written_where_they_differ(
    built: Checkout, comments: dict[tuple[str, str], tuple[object, ...]]
) -> None:
    after = comments_of(built)
    assert len(after) > 1000
    assert {place: said[0] for place, said in after.items()} == {place: said[0] for place, said in comments.items()}
    assert {place for place in after if after[place] != comments[place]} == SPOILT


def test_a_view_gets_this_release_s_query_beside_those_that_it_stands_on(built: Checkout) -> None:
    """A view whose relations dbt has just built it forgets; an older release's query has the same columns here."""
    (query,) = built.sql("select pg_get_viewdef('intermediate.int_blocks_unioned'::regclass)")[0]
    older = f"select * from ({str(query)[:-1]}) as v where false"  # noqa: S608
    built.sql_do(f"create or replace view intermediate.int_blocks_unioned as {older}")
    assert built.sql("select count(*) from intermediate.int_blocks_unioned") == [(0,)]
    build(built, "--select", "stg_blockchair__utxo_blocks", "int_blocks_unioned")
    assert built.sql("select count(*) > 0 from intermediate.int_blocks_unioned") == [(True,)]


def test_a_mart_of_another_shape_waits_until_the_views_of_others_are_gone(built: Checkout) -> None:
    """As an upgrade finds it: columns and indexes of an older release, a view and a table, and a view upon both."""
    older = "alter table analytics.fct_blocks add was integer; create index on analytics.bi_network_daily (date_key)"
    found = "select count(*) from pg_attribute where attrelid = 'analytics.fct_blocks'::regclass and attname = 'was'"
    rebuilt = ("--full-refresh", "--select", "fct_blocks", "dim_block", "bi_blocks", "bi_network_daily")
    built.sql_do(older)
    said = " ".join(build(built, *rebuilt, fails=True).split())
    assert (
        "analytics.fct_blocks gets other columns or indexes, but mine.kept_bi_blocks (of analyst), "
        "mine.kept_dim_block (of analyst), mine.bi_blocks (of analyst), mine.dim_block (of analyst), "
        "mine.kept_fct_blocks (of analyst), mine.fct_blocks (of analyst) stand on it, and would be lost. "
        "Nothing was changed."
    ) in said
    assert (
        "analytics.bi_network_daily gets other columns or indexes, but mine.kept_bi_network_daily (of analyst)" in said
    )
    assert built.sql("select count(*) > 0 from mine.bi_blocks", role="admin") == [(True,)]
    assert built.sql(found) == [(1,)]

    built.sql_do(
        "drop view mine.fct_blocks, mine.dim_block, mine.bi_blocks, mine.bi_network_daily cascade;"
        "grant update (block_height) on analytics.fct_blocks to analyst",
        role="admin",
    )
    build(built, *rebuilt)
    assert built.sql(found) == [(0,)]
    for name in ("fct_blocks", "bi_network_daily"):
        assert built.sql("select has_table_privilege('analyst', %s, 'select')", f"analytics.{name}") == [(True,)]
    assert built.sql("select has_column_privilege('analyst', 'analytics.fct_blocks', 'block_height', 'update')") == [
        (True,)
    ]
    assert built.sql("select count(*) > 0 from analytics.bi_blocks", role="bi_reader") == [(True,)]
