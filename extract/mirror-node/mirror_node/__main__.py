"""The program, with errors as sentences."""

from __future__ import annotations

import sys

import click

from mirror_node.cli import group
from mirror_node.errors import MirrorError


def main() -> None:
    """Run the command line; a failure is one sentence on standard error and status 1."""
    try:
        group.main(standalone_mode=False)
    except MirrorError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("error: interrupted. Blocks up to the last commit are kept; run again to go on.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
