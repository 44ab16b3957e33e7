"""Two hundred months: what the planner looks at."""

from __future__ import annotations

import json
from typing import Any

from target_postgres_copy.stream_schema import Partitioning, month_of, next_month
from target_postgres_copy.tables import PartitionedTable


def test_two_hundred_months(database: Any) -> None:
    table = PartitionedTable("raw_data", "trades", {}, partitioning=Partitioning("at", ("height",)))
    with database.server.connect(database.name) as connection:
        cursor = connection.cursor()
        with connection.transaction():
            table.create(cursor, {"height": "bigint", "at": "timestamptz", "_line": "bigint"})
            start = month_of(connection.execute("select '2009-01-03Z'::timestamptz").fetchone()[0])
            for _ in range(200):
                table.attach(cursor, table.create_month(cursor, start))
                start = next_month(start)

        def tables(query: str) -> list[str]:
            (plan,) = cursor.execute(f"explain (format json, analyze) {query}").fetchone()
            return [part.split('"')[0] for part in json.dumps(plan).split('"Relation Name": "')[1:]]

        # Watermarks as literals: one month is looked at, and the others are not even planned.
        day = "at >= '2020-02-29Z' and at < '2020-03-01Z'"
        assert tables(f"select * from raw_data.trades where {day}") == ["trades_p2020_02"]
        assert set(tables(f"delete from raw_data.trades where {day}")) == {"trades", "trades_p2020_02"}
        # As parameters they are left out when the query begins.
        cursor.execute("set plan_cache_mode = force_generic_plan")
        cursor.execute(
            "prepare day (timestamptz, timestamptz) as select * from raw_data.trades where at >= $1 and at < $2"
        )
        assert tables("execute day ('2020-02-29Z', '2020-03-01Z')") == ["trades_p2020_02"]
        # A height says nothing of the month: every month's index is asked, and no month is read through.
        found = tables("select * from raw_data.trades where height = 5")
        assert len(found) == len(set(found)) == 200
        assert len(table.months(cursor)) == 200


def test_a_day_more_is_known_to_the_planner(feed: Any, database: Any, stream: Any) -> None:
    """A day is too little of a month for PostgreSQL to look again by itself, and it is what is read next."""
    expected = {"2024-01-09": 3000, "2024-01-10": 100}
    for day, rows in expected.items():
        lines = [[str(height), "n", f"{day} 12:00:00", "1", "1", "0"] for height in range(rows)]
        feed([*stream.loaded(day, lines), stream.schema()])
    ((table,),) = database.query(
        "select attrelid::regclass::text from pg_attribute join pg_class on attrelid = pg_class.oid"
        " where attname = 'height' and relkind = 'r'"
    )
    with database.server.connect(database.name) as connection:
        for day, rows in expected.items():
            day_of = f"at >= '{day}Z' and at < timestamptz '{day}Z' + interval '1 day'"
            (plan,) = connection.execute(f"explain (format json) select * from {table} where {day_of}").fetchone()
            assert 0.8 * rows < plan[0]["Plan"]["Plan Rows"] < 1.25 * rows
