"""What the tests rest on: commands that see nothing of the caller's, and projects that are each test's own."""

import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from warehouse.process import find_postmaster
from warehouse.project import Project

from .conftest import Live, Run, Sql


@pytest.mark.parametrize("prefix", [None, ()], ids=["in this process", "in one of its own"])
def test_a_command_is_held_to_its_exit_status(served: Path, run: Run, prefix: tuple[str, ...] | None) -> None:
    assert run(served, "status", prefix=prefix).stdout.startswith("environment  local")
    with pytest.raises(AssertionError, match="no-such-command"):
        run(served, "no-such-command", prefix=prefix)
    with pytest.raises(AssertionError, match="status"):
        run(served, "status", prefix=prefix, code=3)


def test_a_command_sees_nothing_of_the_callers(
    served: Path, environment: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WAREHOUSE_HOST", "MELTANO_ENVIRONMENT", "PGHOST", "LOCAL_WAREHOUSE_PORT", "MELTANO_PROJECT_ROOT"):
        monkeypatch.setenv(name, "the caller's")
    seen = environment(served, {"OWN": "1"})
    assert "the caller's" not in seen.values()
    assert (seen["MELTANO_PROJECT_ROOT"], seen["OWN"], seen["PATH"]) == (str(served), "1", os.environ["PATH"])


class TestProjects:
    """One story in order: a project's server and what one test wrote there are not the next test's."""

    left: Path

    def test_one_is_changed_and_left_running(self, root: Path, served: Path, run: Run, sql: Sql) -> None:
        run(root, "start")
        sql(root, "loader", "create table raw_data.mine as select 1 as n")
        assert sql(root, "loader", "select n from raw_data.mine") == [(1,)]  # it was committed
        assert sql(served, "admin", "select to_regclass('raw_data.mine')") == [(None,)]
        type(self).left = root

    def test_the_next_is_new_and_the_first_is_stopped(self, root: Path, run: Run, sql: Sql) -> None:
        assert root != self.left
        assert find_postmaster(Project(self.left).data) is None
        assert find_postmaster(Project(root).data) is None
        run(root, "start")
        assert sql(root, "admin", "select to_regclass('raw_data.mine'), current_setting('fsync')") == [(None, "off")]


def test_the_servers_of_ones_own_are_two_releases(live: Live) -> None:
    release, project, superuser = live
    assert not (project / ".state").exists()
    assert "WAREHOUSE_ADMIN_USER=boss\n" in (project / ".env").read_text()
    with psycopg.connect(superuser) as connection:
        assert connection.info.server_version // 10000 == int(release)
        powers = "select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = 'boss'"
        assert connection.execute(powers).fetchall() == [(False, True, True)]
