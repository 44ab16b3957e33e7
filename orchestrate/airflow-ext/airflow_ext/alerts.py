"""Alerts of failed tasks, by whatever Apprise knows: webhooks, mail, chats. Off until `alert_urls` is set."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG = logging.getLogger(__name__)
_VARIABLE = "AIRFLOW_EXT_ALERT_URLS"
_IN_DOTENV = "AIRFLOW_ALERT_URLS"
_MOST_CHARACTERS = 4000


def message(context: Mapping[str, Any]) -> tuple[str, str]:
    """Title and text for a task that failed for good."""
    instance = context["ti"]
    part = f" [{instance.map_index}]" if instance.map_index >= 0 else ""
    reason = str(context.get("exception") or "no reason given")
    lines = [
        reason if len(reason) <= _MOST_CHARACTERS else f"{reason[:_MOST_CHARACTERS]} ...",
        "",
        f"Run: {instance.run_id}, try {instance.try_number}",
        f"Log: {getattr(instance, 'log_url', '') or 'in the UI'}",
        "When the cause is mended, clear the task: it and what waits for it run again.",
    ]
    return f"{instance.dag_id}: {instance.task_id}{part} failed", "\n".join(lines)


def _urls(context: Mapping[str, Any]) -> list[str]:
    """The addresses that the project's .env names now; else those with which Airflow was started."""
    root = getattr(context.get("task"), "root", None) or os.environ.get("MELTANO_PROJECT_ROOT")
    try:
        stated = dotenv_values(Path(root) / ".env", interpolate=False).get(_IN_DOTENV) if root else None
    except OSError:
        stated = None
    return (os.environ.get(_VARIABLE, "") if stated is None else stated).split()


def task_failed(context: Mapping[str, Any]) -> None:
    """Send an alert; one that cannot be sent is noted in the log, without its address, which holds secrets."""
    urls = _urls(context)
    if not urls:
        return
    from apprise import Apprise, NotifyFormat, NotifyType  # noqa: PLC0415 - takes time, and only failures need it

    # Apprise's own lines may name addresses.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    try:
        title, body = message(context)
        for number, url in enumerate(urls, 1):
            sender = Apprise()
            if not sender.add(url):
                _LOG.warning("Address %s of alert_urls is none that Apprise knows.", number)
            # As plain text: a mail or a chat that shows pages would take a value of a source for markup.
            elif not sender.notify(
                title=title, body=body, notify_type=NotifyType.FAILURE, body_format=NotifyFormat.TEXT
            ):
                _LOG.warning("The alert could not be sent to address %s of alert_urls.", number)
    except Exception as error:  # noqa: BLE001 - a failing alert must not hide why the task failed
        _LOG.warning("The alert could not be sent (%s).", type(error).__name__)
