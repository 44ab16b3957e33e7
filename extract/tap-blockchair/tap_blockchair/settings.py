"""The tap's settings in their checked, typed form."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from singer_sdk.exceptions import ConfigValidationError

from tap_blockchair.chains import CHAINS, names
from tap_blockchair.setting_schema import CONFIG_SCHEMA, KEYLESS_POINTS
from tap_blockchair.web import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULTS = {name: each["default"] for name, each in CONFIG_SCHEMA["properties"].items() if "default" in each}


@dataclass(frozen=True)
class Settings:
    """The settings after checking; their descriptions stand above.

    Attributes:
        chains: Without repetitions.
        api_url: Without a slash at the end, as `dumps_url`.
        dumps_folder: The folder, where `dumps_url` is a file URL.
        finality: Of every chain.
    """

    chains: tuple[str, ...]
    channel: Literal["auto", "dumps", "api"]
    tip: Literal["also", "only", "off"]
    start: date | None
    end: date | None
    api_url: str
    dumps_url: str
    dumps_folder: Path | None
    api_key: str | None
    dumps_key: str | None
    requests_per_minute: int
    points_per_day: int | None
    finality: Mapping[str, int]
    top_addresses: int
    data_origin: Literal["simulator", "live"] | None
    user_agent: str
    timeout: int
    recheck_days: int
    max_lag_days: int
    strict_days: bool
    latest_addresses: bool
    download_dir: Path
    keep_downloads: bool

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Check a configuration that fits the JSON schema and give it types.

        Raises:
            ConfigValidationError: With one sentence per fault.
        """
        check = _Check(config)
        settings = cls(
            chains=check.chains(),
            channel=check.value("channel"),
            tip="off" if check.value("tip") == "none" else check.value("tip"),
            start=check.day("start_date"),
            end=check.day("end_date"),
            api_url=check.url("api_url", ("https", "http")),
            dumps_url=check.url("dumps_url", ("https", "http", "file")),
            dumps_folder=check.folder("dumps_url"),
            api_key=config.get("api_key") or None,
            dumps_key=config.get("dumps_key") or None,
            requests_per_minute=check.value("requests_per_minute"),
            points_per_day=check.value("points_per_day", None if config.get("api_key") else KEYLESS_POINTS),
            finality=check.finality(),
            top_addresses=check.value("top_addresses"),
            data_origin=config.get("data_origin") or None,
            user_agent=check.value("user_agent"),
            timeout=check.value("timeout"),
            recheck_days=check.value("recheck_days"),
            max_lag_days=check.value("max_lag_days"),
            strict_days=check.value("strict_days"),
            latest_addresses=check.value("latest_addresses"),
            download_dir=check.downloads(),
            keep_downloads=check.value("keep_downloads"),
        )
        if settings.start and settings.end and settings.end < settings.start:
            check.faults.append(f"end_date {settings.end} lies before start_date {settings.start}.")
        if settings.tip == "only" and settings.channel != "auto":
            check.faults.append(f"tip is only, which goes with channel auto, but channel is {settings.channel}.")
        if settings.dumps_folder and settings.data_origin == "simulator" and settings.channel != "api":
            check.faults.append(
                "data_origin is simulator, but dumps_url is a folder, and files carry no mark of their origin. Load a "
                "folder as live data: in Meltano with --environment=dev or prod, into the warehouse that .env names; "
                "alone with data_origin live or without it. For simulated data leave dumps_url at the simulator's.",
            )
        if check.faults:
            raise ConfigValidationError("Invalid settings", errors=check.faults)
        return settings


class _Check:
    """Reads single settings and collects what is wrong with them."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.faults: list[str] = []

    def value(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 (the JSON schema has checked the type)
        """Take a setting; null and empty text count as unset, for which the schema's default stands."""
        value = self.config.get(name)
        return _DEFAULTS.get(name, default) if value is None or value == "" else value

    def chains(self) -> tuple[str, ...]:
        chains = tuple(dict.fromkeys(self.value("chains")))
        unknown = [chain for chain in chains if chain not in CHAINS]
        if unknown:
            self.faults.append(f"chains: {', '.join(unknown)} is not among {names()}.")
        if not chains:
            self.faults.append("chains is empty: name at least one chain.")
        return chains

    def day(self, name: str) -> date | None:
        text = self.value(name)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.faults.append(f"{name} {text!r} is not a date: write it as YYYY-MM-DD.")
            return None
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date()

    def url(self, name: str, schemes: tuple[str, ...]) -> str:
        text = str(self.value(name)).rstrip("/")
        try:
            parts = urlsplit(text)
            valid = parts.scheme in schemes and bool(parts.netloc or parts.scheme == "file")
            valid = valid and not (parts.query or parts.fragment)
        except ValueError:
            valid = False
        if not valid:
            self.faults.append(f"{name} {redact(text)!r} is not an address of the form {schemes[0]}://host/path.")
        return text

    def folder(self, name: str) -> Path | None:
        text = str(self.value(name))
        if not text.startswith("file:"):
            return None
        folder = Path(url2pathname(urlsplit(text).path))
        if not folder.is_dir() and self.value("channel") != "api":
            self.faults.append(f"{name} names the folder {folder}, which does not exist.")
        return folder

    def downloads(self) -> Path:
        batches = self.value("batch_config")
        tsv = bool(batches) and batches["encoding"]["format"] == "tsv"
        root = str(batches["storage"]["root"]) if tsv else ""
        if tsv and (urlsplit(root).scheme != "file" or batches["encoding"].get("compression", "gzip") != "gzip"):
            self.faults.append(
                "batch_config of format tsv hands over gzipped files of this machine: compression must be gzip and "
                "storage.root a file:// URL.",
            )
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tap-blockchair"
        given = self.value("download_dir")
        # Files are handed over where they were downloaded, so that a day is never copied.
        folder = Path(url2pathname(urlsplit(root).path)) if root else Path(given).expanduser() if given else cache
        return folder.absolute()

    def finality(self) -> dict[str, int]:
        given: dict[str, int] = self.value("finality", {})
        unknown = [chain for chain in given if chain not in CHAINS]
        if unknown:
            self.faults.append(f"finality: {', '.join(unknown)} is not among {names()}.")
        return {name: given.get(name, chain.finality) for name, chain in CHAINS.items()}
