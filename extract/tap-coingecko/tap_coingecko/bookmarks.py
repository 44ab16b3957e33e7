"""Where the last run ended: one bookmark for each coin, currency and granularity."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_SINCE = "since"


class Bookmark:
    """The bookmark of one part of a stream, kept in that part's state.

    It holds the latest completed stamp (`replication_key_value`) and the first instant that was ever wanted (`since`):
    so a `start_date` that was moved back, or a plan that reaches further, is noticed.

    Args:
        state: The part's state, changed in place.
        key: The replication key.
        name: What to call the part in an error.
    """

    def __init__(self, state: MutableMapping[str, Any], key: str, name: str) -> None:
        self._state = state
        self._key = key
        self._name = name
        # A value under another key says nothing about this one.
        same = state.get("replication_key", key) == key
        self.latest = self._instant("replication_key_value") if same else None
        self._since = self._instant(_SINCE) if same else None

    def covers(self, start: datetime) -> bool:
        """Whether earlier runs read from so early on, also where the state does not show since when."""
        return self.latest is not None and (self._since is None or self._since <= start)

    def began(self, start: datetime) -> None:
        """Keep since when history is read; without effect before the bookmark holds up to when."""
        if self.latest is not None:
            self._since = start
            self._state[_SINCE] = start.isoformat()

    def move(self, latest: datetime, text: str) -> None:
        """Move the bookmark on to a completed stamp, never back; `text` is that stamp as it is kept."""
        if self.latest is None or latest > self.latest:
            self.latest = latest
            self._state["replication_key"] = self._key
            self._state["replication_key_value"] = text

    def _instant(self, name: str) -> datetime | None:
        text = self._state.get(name)
        if text is None:
            return None
        try:
            instant = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            raise FatalAPIError(
                f"the state's {name} of {self._name} is {text!r}, which is no time; correct the state or run without it"
            ) from None
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
