"""Settings: those that a user gives beside the stock loader's, and those of every session of PostgreSQL."""

from __future__ import annotations

from singer_sdk import typing as th

ORIGINS = ("simulator", "live")

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
    th.Property(
        "backfill",
        th.BooleanType,
        default=False,
        title="Backfill",
        description=(
            "Keep a month that is new to a partitioned table detached, without index, until its last day is loaded; "
            "then it is indexed once and attached. For history in bulk: readers see a month when it is complete."
        ),
    ),
    th.Property(
        "check_state",
        th.BooleanType,
        default=False,
        title="Check state",
        description=(
            "Note the last load in each state, and stop where a state counts loads that the warehouse does not have: "
            "it was restored, made anew, or is another one. The state is cut to what the ledger holds, so that the "
            "next run reads the rest again."
        ),
    ),
    th.Property(
        "reload",
        th.BooleanType,
        default=False,
        title="Reload",
        description=(
            "Load a dump file also where the ledger has this very file as loaded: for rows that somebody "
            "changed, or that a release with a fault stored."
        ),
    ),
    th.Property(
        "allow_empty",
        th.BooleanType,
        default=False,
        title="Allow empty files",
        description=(
            "Let a dump file that has a header and no rows take away the rows that the table holds of its day; "
            "otherwise the load stops at it and keeps them."
        ),
    ),
    th.Property(
        "lock_timeout",
        th.IntegerType(minimum=0),
        default=3600,
        title="Longest wait for a lock",
        description="Seconds that a statement waits for somebody else's lock before the load ends; 0: without end.",
    ),
    th.Property(
        "statement_timeout",
        th.IntegerType(minimum=0),
        default=0,
        title="Longest statement",
        description="Seconds that a statement may run, COPY of a whole file included; 0: without end.",
    ),
    th.Property(
        "connect_timeout",
        th.IntegerType(minimum=0),
        default=10,
        title="Longest wait for a connection",
        description="Seconds until PostgreSQL must have let a connection in; 0: without end.",
    ),
    th.Property(
        "silence_timeout",
        th.IntegerType(minimum=0),
        default=600,
        title="Longest silence",
        description=(
            "Seconds without a sign that PostgreSQL works on what it was sent, after which the load ends; a statement "
            "that runs long is at work. 0: without end."
        ),
    ),
    th.Property(
        "verify",
        th.BooleanType,
        default=False,
        title="Verify",
        description=(
            "Note in the ledger, for each dump file, checksums of its rows as PostgreSQL holds them, by column; the "
            "command audit compares them later. It reads the rows once more, which takes 6 to 13 % of a load."
        ),
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
