"""What PostgreSQL refuses, in one sentence with what to do about it."""

from __future__ import annotations

import re

# By SQLSTATE, or its class of two letters: https://www.postgresql.org/docs/current/errcodes-appendix.html
_HINTS = {
    "": "is the server up, are host, port, user and password as they should be?",
    "08": "is the server up, are host, port, user and password as they should be?",
    "28": "are user and password as they should be, and does pg_hba.conf let this user in?",
    "3D": "does the database of that name exist?",
    "22": "the value does not fit its column: docs/reference/raw-tables.md says how a column is changed",
    "23": "a constraint of the table forbids the row: take the constraint away, or mend the rows",
    "25006": "this server takes no writes: name the primary, not a standby",
    "42501": "give the loader's role the right, or let it own the schema and its tables",
    "42P07": "something else has that name: move it, or rename the stream by a stream map",
    "40": "another transaction was in the way: run again",
    "53100": "the disk that the server writes to is full: free space on it",
    "53200": "the server has no memory left: give it more, or lower its work_mem, shared_buffers or max_connections",
    "53300": "the server has no connection left: end some, or raise max_connections",
    "53400": "a limit of the server's configuration, such as temp_file_limit: raise it",
    "53": "the server has no space or no connection left: free some",
    "57014": "was it the setting statement_timeout, or somebody's cancel?",
    "57": "the server was stopped or is starting: wait for it",
}

# The texts of libpq and psycopg for a connection that was there; the error has no SQLSTATE then.
_CUT = re.compile("server closed the connection|connection is (lost|closed)|Connection reset|terminating connection")

# The texts of libpq when this process has no memory left.
_OWN_MEMORY = re.compile("out of memory|cannot allocate memory", re.IGNORECASE)

MEMORY = (
    "The memory of the loader did not suffice. What was committed before is kept, and a slice that was open is not "
    "loaded; give the loader more (ulimit -v, a container's limit), or let batch_size_rows be less, and run again."
)
"""Of a MemoryError, which has no text itself."""

UNWRITTEN = (
    "The state cannot be written ({}). What was committed is kept; free space for the loader's output and run again: "
    "what the last state does not count is read once more."
)
"""Where the output takes no more, with the reason."""


def sentence(error: BaseException) -> str:
    """One sentence for psycopg's error, or SQLAlchemy's around it, with a hint where its kind has one."""
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or ""
    if not state and _OWN_MEMORY.search(str(cause)):
        return MEMORY
    hint = _HINTS.get(state) or _HINTS.get(state[:2])
    mended = f"put that right ({hint})" if hint else "put that right"
    why = " ".join(str(cause).split()).rstrip(".")
    if _CUT.search(why):
        return (
            f"The connection to PostgreSQL was lost: {why}. What was committed before is kept, and what was under way "
            "is loaded whole or not at all, which the next run finds out; look at the server's log, see that it runs, "
            "and run again."
        )
    if getattr(getattr(cause, "diag", None), "severity_nonlocalized", None) == "PANIC":
        return (
            f"PostgreSQL has ended itself: {why}. What was committed before is kept, and what was under way is loaded "
            "whole or not at all, which the next run finds out; free space where the server writes its log (pg_wal), "
            "start the server, and run again."
        )
    return f"PostgreSQL refused: {why}. What was committed before is kept; {mended} and run again."
