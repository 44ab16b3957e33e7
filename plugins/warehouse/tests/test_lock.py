"""One command at a time: the others wait, say so once, and do not wait for ever."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from warehouse import lock
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_free_lock_is_taken_without_a_word_and_given_back(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        with lock.held(tmp_path / "lock", said.append, timeout=0):
            pass
    assert said == []
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_that_stays_taken_is_said_once_and_then_an_error(tmp_path: Path) -> None:
    said: list[str] = []
    before = time.monotonic()
    with (
        lock.held(tmp_path / "lock", said.append),
        pytest.raises(WarehouseError, match=r"has held \S+lock for 0 s"),
        lock.held(tmp_path / "lock", said.append, timeout=0.4),
    ):
        pass
    assert time.monotonic() - before >= 0.4
    assert said == ["another warehouse command is at work, waiting for it"]


def test_who_waits_comes_next(tmp_path: Path) -> None:
    order: list[str] = []
    waits = threading.Event()

    def second() -> None:
        with lock.held(tmp_path / "lock", lambda _: waits.set()):
            order.append("second")

    thread = threading.Thread(target=second)
    with lock.held(tmp_path / "lock", order.append):
        thread.start()
        assert waits.wait(60), "it does not come to wait"
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]
    # And an error inside gives it back too.
    with pytest.raises(LookupError), lock.held(tmp_path / "lock", order.append):
        raise LookupError
    with lock.held(tmp_path / "lock", order.append, timeout=0):
        pass
