"""What the operating system refuses of files, told in a sentence: a full disk before all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_blockchair.dumpfile import DumpError
from tap_blockchair.dumps import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator

_ARRIVED = "What arrived is kept, and the next run goes on behind it."


@contextmanager
def writing(what: object, setting: str = "download_dir", *, kept: str = _ARRIVED) -> Iterator[None]:
    """Say what is wrong with the disk; faults of the network are no OSError here, urllib3 has its own for them.

    Args:
        what: The file or folder that is written, renamed, locked or deleted in the block.
        setting: The setting that says where it lies.
        kept: A sentence on what the next run finds, beside the bookmark.

    Yields:
        Nothing.

    Raises:
        DumpError: The operating system refused.
    """
    try:
        yield
    except OSError as error:
        reason = f"{what} cannot be written ({error.strerror or error}). {KEPT}"
    else:
        return
    raise DumpError(f"{reason} Check {setting} and the space on its disk, then run again. {kept}".rstrip())
