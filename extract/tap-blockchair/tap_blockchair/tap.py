"""The tap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import click
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from typing_extensions import override

from tap_blockchair import schemas
from tap_blockchair.base import ChainStream
from tap_blockchair.blocks import BlocksStream
from tap_blockchair.dump_stream import DumpStream
from tap_blockchair.estimate import report
from tap_blockchair.folder import FolderDumps
from tap_blockchair.keyset import KeysetStream, keysets
from tap_blockchair.latest import LatestStream
from tap_blockchair.output import LineWriter
from tap_blockchair.quota import STATE_KEY, Quota
from tap_blockchair.selection import faults, stream_names
from tap_blockchair.setting_schema import CONFIG_SCHEMA
from tap_blockchair.settings import Settings
from tap_blockchair.snapshots import AddressesStream, StatsStream
from tap_blockchair.tips import TIPPED, TippedStream
from tap_blockchair.transfer import HostDumps
from tap_blockchair.web import protect, redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_blockchair.client import ApiStream


class TapBlockchair(Tap):
    """Blockchain tables from Blockchair's daily dumps and API."""

    name = "tap-blockchair"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_SCHEMA
    # Several times faster than the default writer, and as exact: decimals and integers of any size keep every digit.
    message_writer_class = LineWriter

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Add the checks that a JSON schema cannot express; keys are protected before anything can print them."""
        protect(self.config.get("api_key"), self.config.get("dumps_key"))
        # A Meltano plugin that inherits settings has no other way to unset them.
        batches = self._config.get("batch_config")
        encoding = batches.get("encoding") if isinstance(batches, dict) else None
        if batches == {} or (isinstance(encoding, dict) and encoding.get("format") == "none"):
            del self._config["batch_config"]
        try:
            errors = super()._validate_config(raise_errors=raise_errors)
            if not errors and raise_errors:
                Settings.from_config(self.config)
        except ConfigValidationError as error:
            error.errors = [redact(sentence) for sentence in error.errors]
            raise
        return errors

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        command.help = "Read blocks, transactions and statistics of Blockchair, and write Singer messages."
        command.epilog = "Example: tap-blockchair --config config.json | target-jsonl"
        command.context_settings = {"help_option_names": ["-h", "--help"]}
        about = "Estimate what a run would download and cost (bytes, hours, points), without running it."
        command.params.append(click.Option(["--estimate"], is_flag=True, help=about))
        return command

    @classmethod
    @override
    def invoke(cls, *, estimate: bool = False, **kwargs: Any) -> None:
        """Run the tap, or estimate what running it would cost.

        Raises:
            ConfigValidationError: The selection names a stream that there is not.
        """
        if wrong := faults(stream_names()):
            raise ConfigValidationError("Invalid selection", errors=wrong)
        if not estimate:
            super().invoke(**kwargs)
            return
        config = kwargs["config"]
        catalog, state = kwargs.get("catalog"), kwargs.get("state")
        tap = cls(
            config=config.config,
            catalog=None if catalog is None else json.load(catalog),
            state=None if state is None else json.load(state),
            parse_env_config=config.parse_env,
        )
        streams = [stream for stream in tap.streams.values() if stream.selected and isinstance(stream, ChainStream)]
        counted = f"With the state in {state.name}." if state else "Without a state: every day counts as new."
        if state and "/.meltano/run/" in state.name:
            counted += " An earlier run began with it: `crypto-elt estimate` takes the bookmarks of now."
        click.echo(counted)
        click.echo(report(streams, Settings.from_config(tap.config)))

    @override
    def discover_streams(self) -> Sequence[ChainStream]:
        settings = Settings.from_config(self.config)
        quota = Quota(settings, lambda: self.state)
        return [
            *self._dump_streams(settings, quota),
            *(stream for chain in settings.chains for stream in self._api_streams(chain, settings, quota)),
        ]

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        """Keep the API's account too, which lies beside the bookmarks: its points are shared by all streams."""
        super().load_state(state)
        if isinstance(account := state.get(STATE_KEY), dict):
            kept: dict[str, Any] = self.state  # type: ignore[assignment]  # the SDK types bookmarks only
            kept[STATE_KEY] = dict(account)

    def _dump_streams(self, settings: Settings, quota: Quota) -> Iterator[ChainStream]:
        if settings.channel == "api":
            return
        tipped = TIPPED if settings.channel == "auto" and settings.tip != "off" else ()
        folder = settings.dumps_folder
        # One for all streams: the dump host gets one connection.
        source = FolderDumps(folder, settings.download_dir) if folder else HostDumps(settings, self.logger)
        for chain in settings.chains:
            for name in schemas.dump_tables(chain):
                if name in tipped:
                    yield TippedStream(
                        self, chain=chain, table_name=name, settings=settings, source=source, quota=quota
                    )
                elif settings.tip != "only":
                    table = schemas.chain_table(chain, name)
                    yield DumpStream(self, chain=chain, table_name=name, table=table, settings=settings, source=source)
            if settings.tip == "only":
                continue
            for name in schemas.latest_tables(chain, addresses=settings.latest_addresses):
                table = schemas.latest_table(chain, name)
                yield LatestStream(self, chain=chain, table_name=name, table=table, settings=settings, source=source)

    def _api_streams(self, chain: str, settings: Settings, quota: Quota) -> Iterator[ChainStream]:
        if settings.channel == "dumps":
            return
        from_api: list[tuple[type[ApiStream], str, schemas.Table]] = [
            (StatsStream, "stats", schemas.stats_table(chain)),
        ]
        if settings.channel == "api" or settings.tip == "only" or not settings.latest_addresses:
            from_api.append((AddressesStream, "addresses", schemas.addresses_table(chain)))
        if settings.channel == "api":
            from_api.append((BlocksStream, "blocks", schemas.api_table(chain, "blocks")))
        for kind, name, table in from_api:
            yield kind(self, chain=chain, table_name=name, table=table, settings=settings, quota=quota)
        if settings.channel == "api":
            for name in keysets(chain):
                yield KeysetStream(self, chain=chain, table_name=name, settings=settings, quota=quota)
