"""A right is revoked, a password rotated or a session ended while a load runs: it ends, and the next one goes on."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from target_postgres_copy import refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST, SECOND = "2024-01-09", "2024-01-10"
RIGHT = "give the loader's role the right"
MONTH, LEDGER = "raw_data.trades_p2024_01", "raw_data.load_ledger"


def lines(day: str) -> list[list[str]]:
    return [[str(n), f"n{n}", f"{day} 12:00:00", "1.5", "1", "0"] for n in range(3)]


def state(step: int) -> dict[str, Any]:
    return {"type": "STATE", "value": {"step": step}}


@pytest.fixture
def role(database: Any) -> Iterator[Any]:
    """The database, whose role `loader` is afterwards as it was."""
    yield database
    database.query(
        f"alter role loader password '{database.server.password}' login connection limit -1;"
        "grant connect, temporary on database test to public"
    )


@pytest.fixture
def loading(role: Any, trades: Any, plain_trades: Any) -> Callable[[str], Iterator[dict[str, Any]]]:
    """A day, a statement of an administrator, then a second day and another table."""

    def messages(statement: str) -> Iterator[dict[str, Any]]:
        yield from trades.loaded(FIRST, lines(FIRST), sha256="a")
        yield from (trades.schema(), state(1))
        role.query(statement)
        yield from trades.loaded(SECOND, lines(SECOND), sha256="b")
        yield from (trades.schema(), state(2))
        yield from plain_trades.loaded(SECOND, lines(SECOND), sha256="c")
        yield from (plain_trades.schema(), state(3))

    return messages


def all_is_there(database: Any) -> bool:
    rows = "select _unit, count(*), count(distinct _load_id) from raw_data.{} group by 1 order by 1"
    both = [(f"trades/{day}", 3, 1) for day in (FIRST, SECOND)]
    return bool(
        database.query(rows.format("trades")) == both
        and database.query(rows.format("plain")) == [("plain/2024-01-10", 3, 1)]
    )


@pytest.mark.parametrize(
    ("taken", "given", "words"),
    [
        (f"revoke insert on {MONTH} from loader", f"grant insert on {MONTH} to loader", RIGHT),
        (f"revoke delete on {MONTH} from loader", f"grant delete on {MONTH} to loader", RIGHT),
        (f"alter table {MONTH} owner to postgres", f"alter table {MONTH} owner to loader", RIGHT),
        (f"revoke insert on {LEDGER} from loader", f"grant insert on {LEDGER} to loader", RIGHT),
        ("revoke usage on schema raw_data from loader", "grant usage on schema raw_data to loader", RIGHT),
        ("revoke create on schema raw_data from loader", "grant create on schema raw_data to loader", RIGHT),
        ("revoke temporary on database test from public", "grant temporary on database test to public", RIGHT),
        (
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'loader'",
            "",
            "connection to PostgreSQL",
        ),
    ],
)
def test_taken_away_while_it_loads(
    role: Any, feed: Any, loading: Callable[[str], Iterator[dict[str, Any]]], taken: str, given: str, words: str
) -> None:
    out = io.StringIO()
    with pytest.raises((psycopg.Error, sa.exc.DBAPIError)) as caught:
        feed(loading(taken), out)

    assert words in refusals.sentence(caught.value)
    slices = role.query("select unit from raw_data.load_ledger where rows_loaded = 3")
    assert role.query("select count(*) from raw_data.trades") == [(3 * len(slices),)]
    assert json.loads(out.getvalue().splitlines()[-1])["step"] <= len(slices)
    if given:
        role.query(given)
    feed(loading("select 1"))
    assert all_is_there(role)


@pytest.mark.parametrize(
    ("taken", "words"),
    [
        ("alter role loader password 'rotated'", "password authentication failed"),
        ("alter role loader nologin", "not permitted to log in"),
        ("revoke connect on database test from public", "permission denied for database"),
        ("alter role loader connection limit 0", "too many connections"),
    ],
)
def test_a_load_goes_on_in_the_session_that_it_has(
    role: Any, feed: Any, loading: Callable[[str], Iterator[dict[str, Any]]], taken: str, words: str
) -> None:
    """Where new sessions are refused, the next load is, in a sentence."""
    assert json.loads(feed(loading(taken)).splitlines()[-1]) == {"step": 3}
    assert all_is_there(role)
    with pytest.raises(sa.exc.DBAPIError) as caught:
        feed(loading("select 1"))
    assert words in refusals.sentence(caught.value)
    assert "put that right (" in refusals.sentence(caught.value)
