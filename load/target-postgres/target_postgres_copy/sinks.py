"""The sink: the stock one, behind the check of origin."""

from __future__ import annotations

import sys

from target_postgres.sinks import PostgresSink  # type: ignore[import-untyped]

from target_postgres_copy import origin
from target_postgres_copy.connector import UtcConnector

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override


class GuardedSink(PostgresSink):  # type: ignore[misc]
    """The stock sink; before it makes or alters a table, the warehouse's origin is checked."""

    connector_class = UtcConnector

    @override
    def setup(self) -> None:
        if (expected := self.config.get("data_origin")) is not None:
            with self.connector._connect() as connection, connection.begin():  # noqa: SLF001 - as the stock sink does
                origin.claim(connection, self.config["default_target_schema"], expected)
        super().setup()
