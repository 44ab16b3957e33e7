"""The tap: settings, streams, and how failures are reported."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import ConfigValidationError, FatalSyncError, RetriableSyncError
from typing_extensions import override

from tap_coingecko.log_text import hook_log_records
from tap_coingecko.ohlc import OhlcStream
from tap_coingecko.prices import MarketChartStream, TokenStream
from tap_coingecko.selection import faults
from tap_coingecko.settings import CONFIG_JSONSCHEMA, find_problems, normalised
from tap_coingecko.shared import SharingTap
from tap_coingecko.snapshots import SNAPSHOTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import click

    from tap_coingecko.client import CoinGeckoStream

_KEPT = "What was sent before is kept; run again to go on from there."
_NO_MEMORY = f"the memory did not suffice; give the tap more (ulimit -v, a container's limit). {_KEPT}"
_NO_SPACE = f"the messages cannot be written (%s); make space for them. {_KEPT}"


_KINDS: tuple[type[CoinGeckoStream], ...] = (*SNAPSHOTS, MarketChartStream, OhlcStream, TokenStream)


class TapCoinGecko(SharingTap):
    """Singer tap for the CoinGecko API v3."""

    name = "tap-coingecko"
    package_name = "tap-coingecko"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_JSONSCHEMA

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        command.help = "Read prices and market data of CoinGecko, and write Singer messages."
        command.epilog = "Example: tap-coingecko --config config.json | target-jsonl"
        command.context_settings = {"help_option_names": ["-h", "--help"]}
        return command

    @override
    def discover_streams(self) -> Sequence[CoinGeckoStream]:
        return [kind(tap=self) for kind in _KINDS]

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        hook_log_records()  # before anything can be logged
        self._config = normalised(self._config)
        errors = super()._validate_config(raise_errors=False) or find_problems(self.config)
        # A schema error quotes the value it refuses, which must not happen to a key.
        errors = ["Setting `api_key` must be text." if "['api_key']" in error else error for error in errors]
        if errors and raise_errors:
            raise ConfigValidationError("Config validation failed", errors=errors, schema=self.config_jsonschema)
        return errors

    @classmethod
    @override
    def invoke(cls, **kwargs: Any) -> None:
        """Run the tap; an expected failure ends in one sentence and exit status 1."""
        if wrong := faults(vars(kind)["name"] for kind in _KINDS):
            for sentence in wrong:
                cls.logger.error(sentence)
            sys.exit(1)
        with cls._reporting_failures():
            super().invoke(**kwargs)

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Test the connection; failures are reported as in a run."""
        with cls._reporting_failures():
            super().cb_test(ctx, param, value)

    @classmethod
    @contextmanager
    def _reporting_failures(cls) -> Iterator[None]:
        try:
            yield
        except (FatalSyncError, RetriableSyncError) as error:
            cls.logger.error("%s. %s", error, _KEPT)  # noqa: TRY400
            sys.exit(1)
        except MemoryError:
            cls.logger.error(_NO_MEMORY)  # noqa: TRY400
            sys.exit(1)
        except OSError as error:  # of its output: faults of the network are reported where they happen
            if error.errno == errno.EPIPE:
                raise  # whoever read it has ended, and says why
            cls.logger.error(_NO_SPACE, error.strerror)  # noqa: TRY400
            # Python writes what its buffer holds once more at the end, and would end with status 120.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
