"""Maintenance: what it does to real tables, and what it leaves alone."""

import re
from pathlib import Path

import psycopg
import pytest

from .conftest import Live, Run, Sql

TABLES = """
create table raw_data.{name} (time date, n int) partition by range (time);
create table raw_data.{name}_p2025_01 partition of raw_data.{name} for values from ('2025-01-01') to ('2025-02-01');
create table raw_data.{name}_p2025_02 (like raw_data.{name});
alter table raw_data.{name}_p2025_01 set (autovacuum_enabled = false);
insert into raw_data.{name} select '2025-01-05', n from generate_series(1, 5000) as n;
insert into raw_data.{name}_p2025_02 select '2025-02-05', n from generate_series(1, 50) as n;
update raw_data.{name} set n = -n where n <= 1000;
"""
MART = """
create table analytics.{name} with (autovacuum_enabled = false) as select n from generate_series(1, 300) as n;
delete from analytics.{name} where n <= 100;
"""
STATE = """
select c.relname::text, c.reltuples::int, coalesce(s.n_dead_tup, 0)::int, s.last_vacuum is not null,
       exists (select from pg_stats p where p.schemaname = s.schemaname and p.tablename = c.relname and p.inherited)
from pg_class c join pg_stat_all_tables s on s.relid = c.oid where c.relname like '{name}%' order by 1
"""


def test_dead_rows_go_and_the_whole_of_a_partitioned_table_gets_statistics(served: Path, run: Run, sql: Sql) -> None:
    sql(served, "loader", TABLES.format(name="kept"))
    sql(served, "transformer", MART.format(name="kept_mart"))

    shown = run(served, "maintain", "--dry-run").stderr
    assert "raw_data.kept_p2025_01: 5,000 rows, 1,000 dead rows" in shown
    assert "in order" not in shown
    assert {(row[2], row[3]) for row in sql(served, "admin", STATE.format(name="kept"))} >= {
        (1000, False),
        (100, False),
    }

    said = run(served, "maintain").stderr
    assert "raw_data.kept_p2025_01: 5,000 rows, 1,000 dead rows, now 0, " in said
    assert "analytics.kept_mart: 200 rows, 100 dead rows, now 0, " in said
    assert "raw_data.kept_p2025_02 is not part of its table yet" in said
    assert sql(served, "admin", STATE.format(name="kept")) == [
        ("kept", 5000, 0, False, True),
        ("kept_mart", 200, 0, True, False),
        ("kept_p2025_01", 5000, 0, True, False),
        ("kept_p2025_02", 50, 0, True, False),
    ]
    # Tables of other tests lie in this warehouse too, so the sum is held against the lines that it sums up.
    changes = [
        tuple(int(number.replace(",", "")) for number in change)
        for change in re.findall(r"([\d,]+) dead rows, now ([\d,]+)", said)
    ]
    gone = sum(before - after for before, after in changes)
    assert gone >= 1100
    assert f"{gone:,} dead rows gone" in said.splitlines()[-1]


def test_a_table_in_use_is_left_and_the_others_are_done(
    served: Path, run: Run, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.maintain._LOCK_TIMEOUT", "200ms")
    sql(served, "loader", TABLES.format(name="busy"))
    url = run(served, "url", "--role", "loader").stdout.strip()
    with psycopg.connect(url) as session:
        session.execute("lock table raw_data.busy_p2025_01 in access exclusive mode")
        said = run(served, "maintain").stderr
    assert "raw_data.busy_p2025_01: in use for more than 200ms, left for the next time" in said
    assert "2 tables were in use" in said.splitlines()[-1]  # its parent's statistics need it too
    state = {row[0]: row[3] for row in sql(served, "admin", STATE.format(name="busy"))}
    assert state == {"busy": False, "busy_p2025_01": False, "busy_p2025_02": True}
    run(served, "maintain")
    assert dict.fromkeys(state, True) | {"busy": False} == {
        row[0]: row[3] for row in sql(served, "admin", STATE.format(name="busy"))
    }


def test_rows_that_somebody_still_sees_are_reported(served: Path, run: Run, sql: Sql) -> None:
    sql(served, "transformer", MART.format(name="seen").split(";")[0])
    with psycopg.connect(run(served, "url", "--role", "admin").stdout.strip()) as session:
        session.execute("set transaction isolation level repeatable read")
        session.execute("select count(*) from analytics.seen")
        sql(served, "transformer", "delete from analytics.seen where n <= 100")
        said = run(served, "maintain").stderr
    assert "100 are still seen by an open transaction" in said.splitlines()[-1]


def test_on_a_server_of_ones_own(live: Live, run: Run) -> None:
    _, project, _ = live
    run(project, "init", "--environment=prod")
    url = run(project, "url", "--environment=prod", "--role", "loader").stdout.strip()
    with psycopg.connect(url) as session:
        session.execute(TABLES.format(name="own").encode())
    said = run(project, "maintain", "--environment=prod").stderr
    assert "raw_data.own_p2025_01: 5,000 rows, 1,000 dead rows, now 0, " in said
    assert "raw_data.own: statistics of the whole" in said


def test_a_failure_names_the_table_and_what_was_done(served: Path, run: Run, sql: Sql) -> None:
    sql(
        served,
        "transformer",
        """
        create function dq.broken(n int) returns int immutable language plpgsql as 'begin return 1 / n; end';
        create table dq.bad (n int);
        create index on dq.bad (dq.broken(n));
        insert into dq.bad values (1);
        """,
    )
    sql(
        served,
        "transformer",
        "create or replace function dq.broken(n int) returns int immutable language plpgsql as "
        "'begin raise exception ''no''; end'",
    )
    done = run(served, "maintain", code=1)
    sql(served, "transformer", "drop table dq.bad; drop function dq.broken")
    assert (
        "Maintenance of 1 tables failed, the others are done; run it again once this is mended: dq.bad: no"
        in done.stderr
    )


def test_a_lost_connection_is_no_success_of_the_rest(served: Path, run: Run, sql: Sql) -> None:
    sql(
        served,
        "transformer",
        """
        create function analytics.last(n int) returns int immutable language sql as 'select n';
        create table analytics.aa_lost (n int);
        create index on analytics.aa_lost (analytics.last(n));
        insert into analytics.aa_lost values (1);
        create table analytics.ab_next (n int);
        create or replace function analytics.last(n int) returns int immutable language plpgsql as
        'begin perform pg_terminate_backend(pg_backend_pid()); return n; end';
        """,
    )
    done = run(served, "maintain", code=1)
    tried = sql(served, "admin", "select last_vacuum from pg_stat_user_tables where relname = 'ab_next'")
    sql(served, "transformer", "drop table analytics.aa_lost, analytics.ab_next; drop function analytics.last")
    assert tried == [(None,)]
    assert "were not tried, since the connection was lost" in done.stderr
    assert "analytics.aa_lost: " in done.stderr.splitlines()[-1]
