"""The command line: one clear sentence and a non-zero exit for every failure that can be expected."""

from __future__ import annotations

import logging
import sys

from singer_sdk.exceptions import ConfigValidationError, SyncError

from tap_blockchair.redaction import redact
from tap_blockchair.tap import TapBlockchair


def main() -> None:
    """Run the tap; the exit code is 1 when settings, source or data stop it."""
    try:
        TapBlockchair.cli()
    except ConfigValidationError as error:  # `--test` and `--discover` raise it before the SDK's own handler stands
        for sentence in error.errors or [str(error)]:
            _complain(sentence)
        sys.exit(1)
    except SyncError as error:
        _complain(str(error))
        sys.exit(1)


def _complain(sentence: str) -> None:
    logging.getLogger(TapBlockchair.name).critical("%s", redact(sentence))


if __name__ == "__main__":
    main()
