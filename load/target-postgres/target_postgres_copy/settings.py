"""Settings: those that a user gives beside the stock loader's, and those of every session of PostgreSQL."""

from __future__ import annotations

from singer_sdk import typing as th

ORIGINS = ("simulator", "live")

_SWITCHES = {
    "backfill": (
        "Keep a month that is new to a partitioned table detached, without index, until its last day is loaded; then "
        "it is indexed once and attached. For history in bulk: readers see a month when it is complete."
    ),
    "check_state": (
        "Note the last load in each state, and stop where a state counts loads that the warehouse does not have: it "
        "was restored, made anew, or is another one. The state is cut to what the ledger holds, so that the next run "
        "reads the rest again."
    ),
    "reload": (
        "Load a dump file also where the ledger has this very file as loaded: for rows that somebody changed, or that "
        "a release with a fault stored."
    ),
    "allow_empty": (
        "Let a dump file that has a header and no rows take away the rows that the table holds of its day; otherwise "
        "the load stops at it and keeps them."
    ),
    "verify": (
        "Note in the ledger, for each dump file, checksums of its rows as PostgreSQL holds them, by column; the "
        "command audit compares them later. It reads the rows once more, which takes 6 to 13 % of a load."
    ),
}
# By name: the default, 0 for no end, and what takes so many seconds at most.
_TIMEOUTS = {
    "lock_timeout": (3600, "a statement waits for somebody else's lock"),
    "statement_timeout": (0, "a statement runs, COPY of a whole file included"),
    "connect_timeout": (10, "PostgreSQL takes to let a connection in"),
    "silence_timeout": (600, "PostgreSQL gives no sign that it is at work, as with a statement that runs long it does"),
}


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


OWN_SETTINGS = th.PropertiesList(
    th.Property(
        "data_origin",
        th.StringType(allowed_values=list(ORIGINS)),
        title="Data origin",
        description=(
            "Origin of the data: the first load marks the warehouse with it, and later loads with the other one are "
            "refused. Unset, nothing is checked or marked."
        ),
    ),
    *(
        th.Property(name, th.BooleanType, default=False, title=_title(name), description=description)
        for name, description in _SWITCHES.items()
    ),
    *(
        th.Property(
            name,
            th.IntegerType(minimum=0),
            default=seconds,
            title=_title(name),
            description=f"Seconds that {what}; the load ends after them. 0: without end.",
        )
        for name, (seconds, what) in _TIMEOUTS.items()
    ),
    th.Property(
        "run_id",
        th.StringType,
        title="Run",
        description="Name of the pipeline run, for the load ledger; by default MELTANO_RUN_ID, else a random one.",
    ),
).to_dict()

# From the chapters "Client Connection Defaults", "Version and Platform Compatibility" and "Error Handling" of
# PostgreSQL's manual: what changes values, the rows seen, or whether a session goes on. A release that does not know a
# name is not asked for it.
PINNED: dict[str, str] = {
    "array_nulls": "on",
    "backslash_quote": "safe_encoding",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "default_transaction_deferrable": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "exit_on_error": "off",
    "extra_float_digits": "1",
    "gin_fuzzy_search_limit": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "IntervalStyle": "postgres",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "quote_all_identifiers": "off",
    "row_security": "off",  # a policy that would hide rows is an error
    "search_path": '"$user", public',
    "session_replication_role": "origin",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
    "timezone_abbreviations": "Default",
    "transaction_timeout": "0",
    "transform_null_equals": "off",
    "xmlbinary": "base64",
    "xmloption": "content",
}
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES, seconds and a number
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 60, "keepalives_interval": 15, "keepalives_count": 4}
