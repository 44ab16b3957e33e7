"""The plans of a build's queries hold at any size of a block: the work grows with the rows, not with their square.

Of a day that is loaded after statistics were made, as it is whenever autovacuum has not come by in between.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator

import psycopg
import pytest

from checkout import Checkout
from plans import Plan, faults, logged_plans
from test_incremental_models import load
from worlds import LARGE_BLOCKS, World

pytestmark = pytest.mark.long(part="plans")

NEW_DAY = "2025-02-02"
MONTHS = ("2025_01", "2025_02")
# What the role that builds gets: the server then logs each plan with the rows that it met.
LOGGED = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
}
FACTS = """
    select relname from pg_class where relnamespace = 'analytics'::regnamespace and relkind = 'p' order by 1
"""
ANALYZED = """
    select schemaname || '.' || relname, analyze_count from pg_stat_all_tables
    where schemaname in ('intermediate', 'analytics')
"""


@pytest.fixture(scope="module")
def checkout_with_a_day_more(filled: Callable[[World], Checkout]) -> Checkout:
    """A warehouse whose statistics are those of the days before, and in which no autovacuum renews them."""
    checkout = filled(LARGE_BLOCKS)
    with psycopg.connect(checkout.url("admin"), autocommit=True) as connection:
        connection.execute("alter system set autovacuum = off")
        connection.execute("select pg_reload_conf()")
        connection.execute("analyze")
        for name, value in LOGGED.items():
            connection.execute(f"alter role transformer set {name} = '{value}'")
    checkout.at_source("advance", hours=24)
    load(checkout)
    return checkout


@pytest.fixture(scope="module")
def analyzed_before(checkout_with_a_day_more: Checkout) -> dict[object, object]:
    """How often each table was analyzed before that day was built."""
    return dict(checkout_with_a_day_more.sql(ANALYZED))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def built(checkout_with_a_day_more: Checkout, analyzed_before: dict[object, object]) -> tuple[Checkout, list[Plan]]:
    """The warehouse with that day built and tested, and the plans of all that did."""
    checkout = checkout_with_a_day_more
    with (checkout.root / ".state/warehouse/data/server.log").open() as log:
        log.seek(0, 2)
        checkout.run("meltano", "run", "dbt-postgres:build")
        return checkout, list(logged_plans(log.read()))


def of_rows(checkout: Checkout) -> Iterator[str]:
    """The ids of what the last run has built or tested, but for views."""
    target = checkout.root / "transform/target"
    nodes = json.loads((target / "manifest.json").read_text())["nodes"]
    for result in json.loads((target / "run_results.json").read_text())["results"]:
        node = nodes.get(result["unique_id"])
        if node and node["config"]["materialized"] in ("changed_days", "incremental", "table", "test"):
            yield result["unique_id"]


def test_no_plan_grows_with_the_square_of_the_rows(built: tuple[Checkout, list[Plan]]) -> None:
    """Of every model that has rows and of every test of data; and none reads months in which nothing is new."""
    checkout, plans = built
    assert set(of_rows(checkout)) <= {plan.made_by for plan in plans}
    found = defaultdict(set)
    for plan in plans:
        # those of staging read what the last two loads have brought, and the first of these brought January
        months = MONTHS if plan.made_by.startswith("test.") and "_stg_" in plan.made_by else MONTHS[1:]
        found[plan.made_by] |= set(faults(plan, months))
    assert {name: said for name, said in found.items() if said} == {}


def test_what_was_written_is_analyzed_and_nothing_else(
    built: tuple[Checkout, list[Plan]], analyzed_before: dict[object, object]
) -> None:
    """The statistics know the new day, in its partition and in the whole; the others keep those that they have."""
    checkout, _ = built
    known = """
        select tablename, inherited from pg_stats
        where schemaname = 'analytics' and attname = 'block_date' and position(%s in most_common_vals::text) > 0
    """
    facts = [str(fact) for (fact,) in checkout.sql(FACTS)]
    assert {(fact, True) for fact in facts} <= set(checkout.sql(known, NEW_DAY))
    assert {(f"{fact}_p2025_02_02", False) for fact in facts} <= set(checkout.sql(known, NEW_DAY))
    again = {name for name, times in checkout.sql(ANALYZED) if times != analyzed_before.get(name)}
    assert not {f"analytics.{fact}_p2025_{day}" for fact in facts for day in ("01_31", "02_01")} & again
    assert {"analytics.dim_address", "analytics.fct_blocks", "intermediate.int_outpoints"} <= again


def test_where_nothing_was_written_nothing_is_analyzed(built: tuple[Checkout, list[Plan]]) -> None:
    checkout, _ = built
    before = checkout.sql(ANALYZED)
    select = ("--select", "int_blocks_measured", "int_outpoints", "fct_transactions")
    checkout.run("meltano", "invoke", "dbt-postgres", "run", *select)
    assert checkout.sql(ANALYZED) == before
