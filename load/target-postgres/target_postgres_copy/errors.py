"""Errors that end a load in one sentence and with exit status 1."""

from __future__ import annotations

from singer_sdk.exceptions import FatalSyncError


class SliceError(FatalSyncError):
    """A slice cannot be loaded as it was announced."""


class RowRefusedError(FatalSyncError):
    """PostgreSQL, or its driver, refused a row; nothing of the transaction is kept."""


class NameRefusedError(FatalSyncError):
    """PostgreSQL cannot name a stream's table or columns as the tap does."""


class SchemaChangeError(FatalSyncError):
    """A table would have to change in a way that only its owner may decide."""


class OriginMismatchError(FatalSyncError):
    """The warehouse holds data of another origin than what was about to be loaded."""


class OtherWarehouseError(FatalSyncError):
    """A bookmark counts loads that the warehouse does not have."""


class SessionError(FatalSyncError):
    """The session would store other values than were sent; nothing is loaded on it."""


class LockTimeoutError(FatalSyncError):
    """A lock was not free in time."""


class SilenceError(FatalSyncError):
    """The server did not answer for too long."""


class FinerError(ValueError):
    """A column would lose a part of a value."""
