"""What `target-postgres-copy --help` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


def explained(command: click.Command) -> click.Command:
    """The SDK's command of a target, which says what this one does and shows an example."""
    command.help = "Read Singer messages, and load their rows into PostgreSQL."
    command.epilog = "Example: tap-coingecko --config a.json | target-postgres-copy --config b.json"
    command.context_settings = {"help_option_names": ["-h", "--help"]}
    return command
