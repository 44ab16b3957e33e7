"""The target: the stock loader's behaviour, with a few settings guarded."""

from __future__ import annotations

import copy
import sys
from typing import Any, ClassVar

from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError, SingerSDKError
from sqlalchemy.exc import DBAPIError
from target_postgres.target import TargetPostgres  # type: ignore[import-untyped]

from target_postgres_copy.origin import ORIGINS
from target_postgres_copy.sinks import GuardedSink

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

_OWN_SETTINGS = th.PropertiesList(
    th.Property(
        "data_origin",
        th.StringType(allowed_values=list(ORIGINS)),
        title="Data origin",
        description=(
            "Origin of the data: the first load marks the warehouse with it, and later loads with the other one are "
            "refused. Unset, nothing is checked or marked."
        ),
    ),
).to_dict()


def _with_own_settings(stock: dict[str, Any]) -> dict[str, Any]:
    schema = copy.deepcopy(stock)
    schema["properties"] |= _OWN_SETTINGS["properties"]
    return schema


class TargetPostgresCopy(TargetPostgres):  # type: ignore[misc]
    """Singer target for PostgreSQL."""

    package_name = "target-postgres-copy"
    config_jsonschema: ClassVar[dict[str, Any]] = _with_own_settings(TargetPostgres.config_jsonschema)
    default_sink_class = GuardedSink

    # State leaves the loader only when it has written everything it holds, by default every five minutes: a run
    # killed before that has its rows in PostgreSQL, but no bookmark. Half a minute bounds what is read twice;
    # a full batch fills in a few seconds, so flushing this often costs one smaller batch per stream and half minute.
    _MAX_RECORD_AGE_IN_MINUTES = 0.5

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the parent's, whatever that takes
        try:
            super().__init__(*args, **kwargs)
        except AssertionError as error:  # how the stock loader refuses settings that do not go together
            raise ConfigValidationError(
                "Config validation failed", errors=[str(error)], schema=self.config_jsonschema
            ) from error

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        errors: list[str] = super()._validate_config(raise_errors=raise_errors)
        if self.config.get("use_copy"):
            errors.append(
                "Setting `use_copy` must stay off: meltanolabs-target-postgres 0.8.1 passes decimals through a float "
                "there, which changes amounts of more than 15 digits."
            )
        if errors and raise_errors:
            raise ConfigValidationError("Config validation failed", errors=errors, schema=self.config_jsonschema)
        return errors

    @classmethod
    @override
    def invoke(cls, **kwargs: Any) -> None:
        """Run the target; an expected failure ends in one sentence and exit status 1."""
        try:
            super().invoke(**kwargs)
        except ConfigValidationError:
            raise  # the SDK's command tells these
        except SingerSDKError as error:
            cls.logger.error("%s", error)  # noqa: TRY400
            sys.exit(1)
        except DBAPIError as error:
            cls.logger.error(  # noqa: TRY400
                "PostgreSQL refused: %s. Batches written before are kept; put that right (is the server up, are "
                "host, port, user and password as they should be?) and run again.",
                " ".join(str(error.orig).split()),
            )
            sys.exit(1)
