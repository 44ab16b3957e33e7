"""The SDK's conformance suite for targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.suites import SingerTestSuite, target_tests
from singer_sdk.testing.target_tests import TargetEncodedStringData

from target_postgres_copy.target import TargetPostgresCopy

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
    def settings(self, database: Any) -> Iterator[None]:  # noqa: ANN401
        SETTINGS.update(database.config())
        yield
        SETTINGS.clear()
        SETTINGS["data_origin"] = "simulator"
