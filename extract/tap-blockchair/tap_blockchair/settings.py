"""The tap's settings: their schema for `--about`, and their checked, typed form."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import BATCH_CONFIG

from tap_blockchair.chains import CHAINS, USUAL_FINALITY, defaults, names
from tap_blockchair.web import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

API_URL = "https://api.blockchair.com"
DUMPS_URL = "https://gz.blockchair.com"
USER_AGENT = "tap-blockchair/0.1.0"

KEYLESS_POINTS = 1440
# Blockchair's paging ends there: offsets up to 10,000 and pages of 100.
MOST_ADDRESSES = 10_100
_FINALITY = ", ".join(
    f"{chain.name} {chain.finality}"
    for chain in CHAINS.values()
    if chain.is_default or chain.finality != USUAL_FINALITY
)

CONFIG_SCHEMA: dict[str, Any] = th.PropertiesList(
    th.Property(
        "chains",
        th.ArrayType(th.StringType),
        default=defaults(),
        title="Chains",
        description=f"Chains to extract, by Blockchair's path names: {names()}.",
    ),
    th.Property(
        "channel",
        th.StringType,
        default="auto",
        allowed_values=["auto", "dumps", "api"],
        title="Channel",
        description=(
            "Where rows come from. `auto`: every table that has a daily dump from dumps, statistics and addresses "
            "from the API, and so what dumps have not yet of blocks and uncles (see tip). `dumps`: dumps only. `api`: "
            "every table from the API, in ranges of heights; one recent day of a big table costs thousands of points."
        ),
    ),
    th.Property(
        "tip",
        th.StringType,
        default="also",
        allowed_values=["also", "only", "off"],
        title="Tip",
        description=(
            "In channel auto: whether the API gives what lies above the last published dump day of {chain}_blocks and "
            "ethereum_uncles. `also`: after the dump days. `only`: nothing but that and the API's snapshots; dump days "
            "are left to another run. `off`: no. Where no dump is published at all the tip begins at start_date, and "
            "without a start_date nothing is read. In YAML, put 'off' in quotes."
        ),
    ),
    th.Property(
        "start_date",
        th.DateType,
        title="Start date",
        description=(
            "First day (UTC) of dumps and blocks, YYYY-MM-DD; of a date with a time the whole day counts. What the "
            "state shows as loaded is not read again; moved back, it brings what is missing. Unset: from the chain's "
            "first block."
        ),
    ),
    th.Property(
        "end_date",
        th.DateType,
        title="End date",
        description="Last day (UTC) of dumps and blocks, included, YYYY-MM-DD. Unset: no end.",
    ),
    th.Property("api_url", th.StringType, default=API_URL, title="API URL", description="Root of the API."),
    th.Property(
        "dumps_url",
        th.StringType,
        default=DUMPS_URL,
        title="Dumps URL",
        description=(
            "Root of the dump host, or a file:// folder of dump files, .tsv.gz or .tsv: an own mirror, laid out "
            "as {chain}/{table}/ or flat."
        ),
    ),
    th.Property("api_key", th.StringType, secret=True, title="API key", description="Blockchair's API key."),
    th.Property(
        "dumps_key",
        th.StringType,
        secret=True,
        title="Dumps key",
        description="Key that lifts the dump host's throttle (about 10 kB/s without).",
    ),
    th.Property(
        "requests_per_minute",
        th.IntegerType(minimum=1),
        default=30,
        title="Requests per minute",
        description="Most API requests in any 60 seconds. 30 is Blockchair's limit without a key.",
    ),
    th.Property(
        "points_per_day",
        th.IntegerType(minimum=0),
        title="Points per day",
        description=(
            "Most API points spent in a UTC day, over all streams and, through the state, all runs. When they are "
            "spent the tap ends well and says when to resume. Unset: 1440 without an api_key (Blockchair's quota), no "
            "limit of its own with one."
        ),
    ),
    th.Property(
        "finality",
        th.ObjectType(additional_properties=th.IntegerType(minimum=0)),
        title="Finality",
        description=(
            "Blocks per chain that may still be reorganised: API rows this close to the tip carry is_settled = false "
            f"and are read again. Default {_FINALITY}, any other chain {USUAL_FINALITY}. "
            'Example: {"bitcoin": 12}.'
        ),
    ),
    th.Property(
        "top_addresses",
        th.IntegerType(minimum=1, maximum=MOST_ADDRESSES),
        default=100,
        title="Top addresses",
        description=f"How many of the richest addresses a snapshot holds, at most {MOST_ADDRESSES:,}.",
    ),
    th.Property(
        "data_origin",
        th.StringType,
        allowed_values=["simulator", "live"],
        title="Data origin",
        description=(
            "Refuse data of the other origin: `live` refuses answers marked X-Data-Origin: simulator, `simulator` "
            "refuses answers without that mark. Unset: no check."
        ),
    ),
    th.Property(
        "user_agent",
        th.StringType,
        default=USER_AGENT,
        title="User agent",
        description="How the tap names itself to the servers.",
    ),
    th.Property(
        "recheck_days",
        th.IntegerType(minimum=0),
        default=2,
        title="Recheck days",
        description=(
            "How many of the last loaded dump days are compared with the dump host at each run; a day whose file "
            "changed is sent again whole. 0: none."
        ),
    ),
    th.Property(
        "max_lag_days",
        th.IntegerType(minimum=1),
        default=3,
        title="Most days of lag",
        description=(
            "Warn when the last listed dump day lies more than so many days back, by the dump host's clock. The tap "
            "waits for a late day and never skips it."
        ),
    ),
    th.Property(
        "latest_addresses",
        th.BooleanType,
        default=False,
        title="Latest addresses",
        description=(
            "Read {chain}_addresses from the dump of all addresses with a balance (Bitcoin: 1.8 GB) in place of the "
            "API's ranking. Only its latest snapshot is kept."
        ),
    ),
    th.Property(
        "download_dir",
        th.StringType,
        title="Download folder",
        description=(
            "Folder for dump files on their way; a transfer that broke off goes on from there, in the next run too. "
            "Unset: tap-blockchair in the user's cache folder, or, with batch_config of format tsv, its storage root."
        ),
    ),
    th.Property(
        "keep_downloads",
        th.BooleanType,
        default=False,
        title="Keep downloads",
        description="Keep dump files after they are read. What is kept and has not changed is not downloaded again.",
    ),
    th.Property(
        "timeout",
        th.IntegerType(minimum=1),
        default=60,
        title="Timeout",
        description="Seconds without a byte from the server before a request counts as failed.",
    ),
).to_dict()


def _batch_setting() -> dict[str, Any]:
    """Extend the SDK's `batch_config` by the format of dump files, and require what it needs."""
    setting = copy.deepcopy(BATCH_CONFIG["properties"]["batch_config"])
    encoding, storage = setting["properties"]["encoding"], setting["properties"]["storage"]
    encoding["properties"]["format"] |= {
        "type": ["string"],
        "enum": ["tsv", "jsonl", "parquet", "none"],
        "description": "tsv hands the verified dump file itself over; jsonl and parquet are the SDK's. none: records.",
    }
    encoding |= {"type": ["object"], "required": ["format"]}
    storage["properties"]["root"]["type"] = ["string"]
    storage |= {"type": ["object"], "required": ["root"]}
    setting["properties"]["batch_size"] = {
        "type": ["integer", "null"],
        "minimum": 1,
        "description": "Rows in a jsonl or parquet file.",
    }
    description = (
        "Hand dump days over as files, in Singer BATCH messages (docs/slices.md), to a loader that understands the "
        "format. Unset, {} or format none: RECORD messages, for any loader. The API's rows are always records."
    )
    return {**setting, "required": ["encoding", "storage"], "description": description}


CONFIG_SCHEMA["properties"]["batch_config"] = _batch_setting()
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
            tip=check.value("tip"),
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
