"""The schema of the tap's settings, as `--about` shows it."""

from __future__ import annotations

import copy
from importlib.metadata import version
from typing import Any

from singer_sdk import typing as th
from singer_sdk.helpers.capabilities import BATCH_CONFIG

from tap_blockchair.chains import CHAINS, USUAL_FINALITY, defaults, names

API_URL = "https://api.blockchair.com"
DUMPS_URL = "https://gz.blockchair.com"
USER_AGENT = f"tap-blockchair/{version('tap-blockchair')}"

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
            "Where rows come from. `auto` reads tables with daily dumps from the dumps, and statistics and addresses "
            "from the API; the setting tip says whether the API also gives the newest blocks. `dumps` reads dumps "
            "only. `api` reads every table from the API, in ranges of heights; one recent day of a big table costs "
            "thousands of points."
        ),
    ),
    th.Property(
        "tip",
        th.StringType,
        default="also",
        allowed_values=["also", "only", "off", "none"],
        title="Tip",
        description=(
            "In channel auto: whether the API gives blocks and uncles above the last published dump day. `also` reads "
            "them after the dump days. `only` reads them and the API's snapshots, and leaves the dump days to another "
            "run. `off` does not read them. Where no dump is published, they begin at start_date, and without a "
            "start_date nothing is read. `none` means `off`; YAML reads `off` as false."
        ),
    ),
    th.Property(
        "start_date",
        th.DateType,
        title="Start date",
        description=(
            "First day (UTC) of dumps and blocks, YYYY-MM-DD. Of a date with a time the whole day counts. Days that "
            "the state shows as loaded are not read again. An earlier day makes the tap read the days that are "
            "missing. Unset: the day of the chain's first block."
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
            "Root of the dump host, or a folder of your own with dump files (file://...), .tsv.gz or .tsv. The folder "
            "has subfolders {chain}/{table}/, or none."
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
        "strict_days",
        th.BooleanType,
        default=False,
        title="Strict days",
        description=(
            "Stop a table with an error at the first day inside the index that has no file and is not loaded. False: "
            "each run names such days in a warning and loads later days. A file that comes late is loaded then."
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
        description="Keep dump files after they are read. A kept file that has not changed is not downloaded again.",
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
        "Hand dump days over as files, in Singer BATCH messages (docs/reference/slices.md), to a loader that "
        "understands the format. Unset, {} or format none: RECORD messages, for any loader. The API's rows are always "
        "records."
    )
    return {**setting, "required": ["encoding", "storage"], "description": description}


CONFIG_SCHEMA["properties"]["batch_config"] = _batch_setting()
