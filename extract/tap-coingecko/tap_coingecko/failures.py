"""What went wrong for one coin, currency or endpoint: set aside, so that the rest is read, and reported at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.exceptions import FatalSyncError, RetriableAPIError

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

#: Parts that fail one after the other, each after all its tries, until the source itself is held to be down.
_SOURCE_IS_DOWN = 2
#: Failures that the last sentence spells out; each was logged when it happened.
_SPELLED_OUT = 5


class Failures:
    """The failures of a run, each logged at once."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._sentences: list[str] = []
        self._in_a_row = 0

    def set_aside(self, stream: str, context: Mapping[str, str] | None, error: Exception) -> None:
        """Keep a failure for the end.

        Args:
            stream: The stream's name.
            context: The part of it that failed; None for all of it.
            error: What happened, as a sentence without a full stop.

        Raises:
            RetriableAPIError: If the source failed in this way for several parts in a row: it is down.
        """
        if isinstance(error, RetriableAPIError):
            self._in_a_row += 1
            if self._in_a_row >= _SOURCE_IS_DOWN:
                raise error
        part = " of " + ", ".join(context.values()) if context else ""
        sentence = f"{stream}{part}: {error}"
        self._sentences.append(sentence)
        self._logger.error("%s. Going on with the rest.", sentence)

    def answered(self) -> None:
        """Note that the source answers."""
        self._in_a_row = 0

    def raise_any(self) -> None:
        """End the run with one error for all that was set aside.

        Raises:
            FatalSyncError: If anything was.
        """
        if not self._sentences:
            return
        first, more = self._sentences[:_SPELLED_OUT], len(self._sentences) - _SPELLED_OUT
        self._sentences = []
        raise FatalSyncError("; ".join(first) + (f"; and {more} more, see above" if more > 0 else ""))
