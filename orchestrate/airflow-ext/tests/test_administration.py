"""The administrator and the pools; tests/test_airflow_up.py makes them in a real Airflow."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.pool import Pool
from airflow.providers.fab.auth_manager.cli_commands import utils

from airflow_ext.administration import ensure_admin, ensure_pools


class Security:
    """Users as Airflow's security manager keeps them."""

    def __init__(self, *, full: bool = False) -> None:
        self.users: dict[str, SimpleNamespace] = {}
        self.full = full

    def find_user(self, username: str) -> SimpleNamespace | None:
        return self.users.get(username)

    def find_role(self, name: str) -> str:
        return f"role {name}"

    def add_user(self, *given: str) -> SimpleNamespace | None:
        name, *_, role, password = given
        if not self.full:
            self.users[name] = SimpleNamespace(id=len(self.users) + 1, role=role, password=password)
        return self.users.get(name)

    def reset_password(self, number: int, password: str) -> None:
        (user,) = (one for one in self.users.values() if one.id == number)
        user.password = password


def keep(security: Security, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def builder() -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(sm=security)

    monkeypatch.setattr(utils, "get_application_builder", builder)


def test_an_administrator_is_made_once_and_gets_the_password_again(monkeypatch: pytest.MonkeyPatch) -> None:
    security = Security()
    keep(security, monkeypatch)
    assert ensure_admin("admin", "first") == "made the user admin"
    assert ensure_admin("root", "other") == "made the user root"
    assert (security.users["admin"].role, security.users["admin"].password) == ("role Admin", "first")
    assert ensure_admin("admin", "second") == "the user admin is right"
    assert [user.password for user in security.users.values()] == ["second", "other"]


def test_a_user_that_cannot_be_made_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(Security(full=True), monkeypatch)
    with pytest.raises(SystemExit, match="The user admin could not be made"):
        ensure_admin("admin", "x")


def test_pools_get_their_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, tuple[Any, ...]] = {}

    def write(name: str, slots: int, _said: str, *, include_deferred: bool) -> None:
        made[name] = (slots, include_deferred)

    monkeypatch.setattr(Pool, "create_or_update_pool", write)
    assert ensure_pools({"dbt": 1, "dump_host": 4}) == "pools: dbt 1, dump_host 4"
    assert made == {"dbt": (1, False), "dump_host": (4, False)}
    assert ensure_pools({}) == "pools: none"
