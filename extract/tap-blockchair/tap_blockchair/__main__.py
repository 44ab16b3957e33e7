"""The command line: one clear sentence and a non-zero exit for every failure that can be expected."""

from __future__ import annotations

import logging
import os
import sys

from singer_sdk.exceptions import ConfigValidationError, SyncError

from tap_blockchair.tap import TapBlockchair
from tap_blockchair.web import redact

_KEPT = "What was sent before is kept, and the bookmark stays where its rows end."
_AGAIN = "then run again."


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
    except MemoryError:
        _complain(f"the memory did not suffice. {_KEPT} Give the tap more (ulimit -v, a container's limit), {_AGAIN}")
        sys.exit(1)
    except OSError as error:  # of its output: faults of files and hosts are reported where they happen
        _complain(f"the messages cannot be written ({error.strerror or error}). {_KEPT} Make space for them, {_AGAIN}")
        # Python writes what its buffer holds once more at the end, and would end with status 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _complain(sentence: str) -> None:
    logging.getLogger(TapBlockchair.name).critical("%s", redact(sentence))


if __name__ == "__main__":
    main()
