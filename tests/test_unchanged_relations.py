"""A build with nothing new leaves views, tables and tables of failing rows in place, and mends what was changed."""

import re
from collections.abc import Callable

import pytest

from checkout import Checkout
from worlds import MONTHS_END, World

# Each relation of the project with the transactions that wrote its entry and, of a view, its query.
WRITTEN = """
    select format('%I.%I', nspname, relname), pg_class.oid::bigint, pg_class.xmin::text, pg_rewrite.xmin::text
    from pg_class
    inner join pg_namespace on pg_namespace.oid = relnamespace
    left join pg_rewrite on ev_class = pg_class.oid
    where
        nspname in ('staging', 'intermediate', 'analytics', 'dq') and relkind in ('r', 'p', 'v') and not relispartition
    order by 1
"""
VIEW = "staging.stg_blockchair__utxo_blocks"
TEST = "unique_combination_dim_asset_coingecko_id"
NEVER_NULL = """
    select attnotnull from pg_attribute where attrelid = 'analytics.dim_asset'::regclass and attname = 'symbol'
"""
INDEXES = "select count(*) from pg_indexes where schemaname = 'analytics' and tablename = 'dim_asset'"


# What the materialization `table` would make beside the old one, though nothing of its contract has changed.
NOT_AS_DECLARED = (
    "{% if execute %}{% for node in graph.nodes.values() %}"
    "{% if node.resource_type == 'model' and node.config.materialized == 'table' and node.config.contract.enforced %}"
    "{% set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) %}"
    "[{{ node.name }} {{ stands_as_declared(node, relation) }}]{% endif %}{% endfor %}{% endif %}"
)


def dbt(checkout: Checkout, *words: str) -> str:
    """Run dbt; what it prints."""
    return checkout.run("meltano", "invoke", "dbt-postgres", *words).stdout


@pytest.fixture(scope="module")
def built(filled: Callable[[World], Checkout]) -> Checkout:
    """A world whose tests have run, too."""
    checkout = filled(MONTHS_END)
    dbt(checkout, "build", "--exclude-resource-type", "unit_test")
    return checkout


def test_a_build_with_nothing_new_makes_no_relation_again(built: Checkout) -> None:
    before, rows = built.sql(WRITTEN), built.tables()
    dbt(built, "build", "--exclude-resource-type", "unit_test")
    after = built.sql(WRITTEN)
    assert len(after) > 300
    # each line as it was: no relation was dropped or made, none renamed, no grant or query written again
    changed = [old[0] for old, new in zip(before, after, strict=True) if old != new]
    # an analyzed table's entry is written, and seeds are truncated
    assert not [name for name in changed if not str(name).startswith(("staging.", "analytics.", "intermediate."))]
    views = {name for name, _, _, query in before if query is not None}
    assert len(views) > 30
    assert not views & set(changed)
    assert [line[:2] for line in before] == [line[:2] for line in after]
    assert built.tables() == rows


def test_each_table_is_seen_to_be_as_its_contract_declares_it(built: Checkout) -> None:
    """Else it would be made twice at each build: beside the old one, and in it."""
    said = dbt(built, "--quiet", "compile", "--inline", NOT_AS_DECLARED)
    found = dict(re.findall(r"\[(\w+) (True|False)\]", said))
    assert len(found) > 50
    assert [name for name, stands in found.items() if stands == "False"] == []


def test_a_view_that_was_changed_or_dropped_is_made_again(built: Checkout) -> None:
    name = f"select pg_get_viewdef('{VIEW}'::regclass)"
    ((query,),) = built.sql(name)
    older = f"select * from ({str(query)[:-1]}) as v where false"  # noqa: S608
    built.sql_do(f"create or replace view {VIEW} as {older}")
    dbt(built, "run", "--select", VIEW.partition(".")[2])
    assert built.sql(name) == [(query,)]

    built.sql_do(f"drop view {VIEW} cascade")
    dbt(built, "run", "--select", f"{VIEW.partition('.')[2]}+,config.materialized:view")
    assert built.sql(name) == [(query,)]


def test_a_table_gets_back_an_index_a_column_and_a_grant(built: Checkout) -> None:
    """As its contract declares them; the rows come with them."""
    before, (count,) = built.tables()["analytics.dim_asset"], built.sql(INDEXES)
    readable = "select has_table_privilege('bi_reader', 'analytics.dim_asset', 'select')"
    for spoilt in (
        "alter table analytics.dim_asset drop constraint dim_asset_pkey",
        "alter table analytics.dim_asset add was integer",
        "alter table analytics.dim_asset alter symbol drop not null",
        "revoke select on analytics.dim_asset from bi_reader",
        "delete from analytics.dim_asset",
    ):
        key = "select conname from pg_constraint where conrelid = 'analytics.dim_asset'::regclass and contype = 'p'"
        ((primary,),) = built.sql(key)
        built.sql_do(spoilt.replace("dim_asset_pkey", f'"{primary}"'))
        dbt(built, "run", "--select", "dim_asset", "bi_asset_status")
        assert built.tables()["analytics.dim_asset"] == before, spoilt
        assert built.sql(INDEXES) == [count], spoilt
        assert built.sql(readable, role="admin") == [(True,)], spoilt
        assert built.sql(NEVER_NULL) == [(True,)], spoilt


def test_the_rows_of_a_failing_test_are_kept_until_it_passes(built: Checkout) -> None:
    kept = f"select count(*) from dq.{TEST}"  # noqa: S608
    oid = f"select 'dq.{TEST}'::regclass::oid::bigint"
    ((made,),) = built.sql(oid)
    dbt(built, "test", "--select", TEST)
    assert built.sql(oid) == [(made,)]

    built.sql_do("update analytics.dim_asset set coingecko_id = 'the same'")
    said = built.fails("meltano", "invoke", "dbt-postgres", "test", "--select", TEST)
    assert "Got 1 result" in said
    assert built.sql(kept) == [(1,)]

    dbt(built, "build", "--select", "dim_asset", "--exclude-resource-type", "unit_test")
    assert built.sql(kept) == [(0,)]
