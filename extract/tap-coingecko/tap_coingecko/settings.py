"""The tap's settings: their schema, and the checks that JSON schema cannot express."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from singer_sdk import typing as th

from tap_coingecko.plans import PLANS
from tap_coingecko.windows import Granularity

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The most rows one `coins/markets` page holds, and so the most coins one call can ask for.
MAX_COINS = 250


def _package_version() -> str:
    try:
        return version("tap-coingecko")
    except PackageNotFoundError:  # run from a source folder
        return "unknown"


CONFIG_JSONSCHEMA: dict[str, Any] = th.PropertiesList(
    th.Property(
        "plan",
        th.StringType(allowed_values=list(PLANS)),
        default="keyless",
        title="Plan",
        description="CoinGecko plan: picks the host, the header of the key, how far back history reaches and the pace.",
    ),
    th.Property(
        "api_key",
        th.StringType,
        secret=True,
        title="API key",
        description="CoinGecko API key, sent as a header only. Needed by every plan but keyless.",
    ),
    th.Property(
        "api_url",
        th.StringType,
        title="API URL",
        description="API root; by default the plan's own host. For a proxy or a local stand-in.",
    ),
    th.Property(
        "coins",
        th.ArrayType(th.StringType),
        default=["bitcoin", "ethereum", "dogecoin"],
        title="Coins",
        description=f"CoinGecko ids (bitcoin, not BTC), at most {MAX_COINS}.",
    ),
    th.Property(
        "vs_currencies",
        th.ArrayType(th.StringType),
        default=["usd"],
        title="Currencies",
        description="Currencies that prices are given in, in lower case.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="First UTC day (or instant) of history; by default all that the plan reaches.",
    ),
    th.Property(
        "granularities",
        th.ArrayType(th.StringType(allowed_values=[granularity.value for granularity in Granularity])),
        default=[Granularity.DAILY.value],
        title="Granularities",
        description="Of coingecko_market_chart: daily, hourly or both. A year takes one call daily, five hourly.",
    ),
    th.Property(
        "requests_per_minute",
        th.IntegerType(minimum=1),
        title="Requests per minute",
        description="Most calls in any minute, failed ones included. Default by plan: "
        + ", ".join(f"{name} {plan.requests_per_minute}" for name, plan in PLANS.items())
        + ".",
    ),
    th.Property(
        "monthly_credits",
        th.IntegerType(minimum=1),
        title="Monthly credits",
        description="Calls in a calendar month (UTC), over all runs that share a state, before the tap stops. "
        "Default by plan: "
        + ", ".join(f"{name} {plan.monthly_credits}" for name, plan in PLANS.items() if plan.monthly_credits)
        + "; the others have none.",
    ),
    th.Property(
        "token",
        th.StringType,
        title="Token",
        description="The same as `coins`, under the name of the Hub's tap: an id, or several separated by commas.",
    ),
    th.Property(
        "wait_time_between_requests",
        th.NumberType(minimum=0),
        title="Wait between requests",
        description="Seconds between the starts of two calls, at least: a name of the Hub's tap. "
        "`requests_per_minute` holds beside it.",
    ),
    th.Property(
        "max_wait",
        th.IntegerType(minimum=0),
        default=900,
        title="Longest wait",
        description="Seconds that a Retry-After of the source is waited for inside a run; where it asks for more, the "
        "run ends and says when to run again.",
    ),
    th.Property(
        "data_origin",
        th.StringType(allowed_values=["simulator", "live"]),
        title="Data origin",
        description="Stop unless answers come from there (header X-Data-Origin); by default nothing is checked.",
    ),
    th.Property(
        "user_agent",
        th.StringType,
        default=f"tap-coingecko/{_package_version()} (Singer tap)",
        title="User agent",
        description="User-Agent header; CoinGecko refuses calls without a descriptive one.",
    ),
    th.Property(
        "timeout",
        th.IntegerType(minimum=1),
        default=60,
        title="Timeout",
        description="Seconds to wait for an answer before the call is tried again.",
    ),
).to_dict()


def parse_start_date(value: str) -> datetime:
    """Read a `start_date` setting, an ISO 8601 date or date-time; without an offset it is UTC.

    Raises:
        ValueError: If the text is no ISO 8601 date.
    """
    parsed = datetime.fromisoformat(value)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def normalised(config: Mapping[str, Any]) -> dict[str, Any]:
    """Copy settings as they are given into the tap's own form, before defaults are filled in.

    Empty text counts as unset: a variable that is not set expands to that in a Meltano project. `token` becomes
    `coins`, unless both are given.
    """
    settings = {name: value for name, value in config.items() if value != ""}
    if isinstance(settings.get("token"), str) and "coins" not in settings:
        settings["coins"] = [coin.strip() for coin in settings.pop("token").split(",") if coin.strip()]
    return settings


def find_problems(config: Mapping[str, Any]) -> list[str]:
    """Check what the schema cannot: a sentence for each setting that contradicts another or cannot work."""
    return [*_key_problems(config), *_url_problems(config), *_list_problems(config), *_text_problems(config)]


def _key_problems(config: Mapping[str, Any]) -> list[str]:
    plan = config["plan"]
    needs_key = PLANS[plan].key_header is not None
    if needs_key and not config.get("api_key"):
        return [f"Setting `api_key` is missing: plan {plan} needs one (without a key set `plan` to keyless)."]
    if config.get("api_key") and not needs_key:
        return ["Setting `api_key` is given but `plan` is keyless: set `plan` to the plan the key belongs to."]
    if needs_key and not re.fullmatch(r"[!-~]+", config["api_key"]):
        return ["Setting `api_key` holds a blank, a line break or a letter that no key has: copy it again."]
    if needs_key and config["api_key"] in config.get("api_url", ""):
        return ["Setting `api_url` holds the key: it belongs in `api_key` alone, which is sent as a header."]
    return []


def _url_problems(config: Mapping[str, Any]) -> list[str]:
    url = config.get("api_url")
    if url is None:
        return []
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return [f"Setting `api_url` must be an http or https URL, such as {PLANS['keyless'].api_url}."]
    if parts.username or parts.password or parts.query or parts.fragment:
        return ["Setting `api_url` must hold no user name, password or query: the key belongs in `api_key`."]
    return []


def _list_problems(config: Mapping[str, Any]) -> list[str]:
    problems = []
    if "token" in config:
        problems.append("Settings `token` and `coins` are two names for the same: keep one of them.")
    if not config["granularities"] or len(set(config["granularities"])) < len(config["granularities"]):
        problems.append("Setting `granularities` must name daily, hourly or both, each once.")
    for name, example in (("coins", "bitcoin"), ("vs_currencies", "usd")):
        values = config[name]
        if not values:
            problems.append(f"Setting `{name}` is empty: name at least one, such as {example}.")
        if len(set(values)) < len(values):
            problems.append(f"Setting `{name}` names something twice.")
        problems.extend(
            f"Setting `{name}` holds {value!r}, which is no CoinGecko id: write it like {example}."
            for value in values
            if not re.fullmatch(r"[^\s/?#&%,]+", value)
        )
    if len(config["coins"]) > MAX_COINS:
        problems.append(f"Setting `coins` names {len(config['coins'])} coins; at most {MAX_COINS} are possible.")
    problems.extend(
        f"Setting `vs_currencies` holds {value!r}: write currencies in lower case."
        for value in config["vs_currencies"]
        if value != value.lower()
    )
    return problems


def _text_problems(config: Mapping[str, Any]) -> list[str]:
    problems = []
    if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", config["user_agent"]):
        problems.append("Setting `user_agent` must be one line of plain text that describes this client.")
    if start_date := config.get("start_date"):
        try:
            parse_start_date(start_date)
        except ValueError:
            problems.append(f"Setting `start_date` is {start_date!r}: write it as YYYY-MM-DD.")
    return problems
