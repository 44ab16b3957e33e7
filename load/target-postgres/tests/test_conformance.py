"""The SDK's conformance suite for targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.suites import SingerTestSuite, target_tests
from singer_sdk.testing.target_tests import TargetEncodedStringData

from target_postgres_copy.target import TargetPostgresCopy
from target_postgres_copy.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

# The suite takes its settings while tests are collected; they are filled in once a server runs.
SETTINGS: dict[str, Any] = {"data_origin": "simulator"}

# PostgreSQL's text holds no NUL character; like the stock loader, this one refuses it rather than change it.
SUITE = SingerTestSuite(
    kind="target", tests=[test for test in target_tests.tests if test is not TargetEncodedStringData]
)
CONFORMANCE = get_target_test_class(
    TargetPostgresCopy, config=SETTINGS, include_target_tests=False, custom_suites=[SUITE]
)


class TestConformance(CONFORMANCE):  # type: ignore[misc,valid-type]
    @pytest.fixture(autouse=True)
    def settings(self, database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Give the suite a database, and close what it leaves open: a loader that fails ends with its process."""
        opened: list[Warehouse] = []
        make = Warehouse.__init__

        def note(self: Warehouse, *args: Any) -> None:
            opened.append(self)
            make(self, *args)

        monkeypatch.setattr(Warehouse, "__init__", note)
        SETTINGS.update(database.config())
        yield
        for warehouse in opened:
            warehouse.close()
        SETTINGS.clear()
        SETTINGS["data_origin"] = "simulator"
