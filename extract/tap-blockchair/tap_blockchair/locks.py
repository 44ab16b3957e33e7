"""A lock on a table's files in the download folder: two runs must not write, read and delete the same ones."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tap_blockchair.disk import writing
from tap_blockchair.dumpfile import DumpError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def locked(folder: Path, chain: str, table: str) -> Iterator[None]:
    """Be the only run that uses a table's files in a folder.

    The operating system frees the lock when a run ends, however it ends.

    Args:
        folder: The download folder; made if need be.
        chain: Blockchair's path name of the chain.
        table: The stream's table.

    Yields:
        Nothing, with the lock held.

    Raises:
        DumpError: Another run holds it, or the folder takes no file.
    """
    path = folder / f"{chain}_{table}.lock"
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        with ExitStack() as opened:
            with writing(path):
                file = opened.enter_context(path.open("ab"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise DumpError(
                        f"another run of the tap is using the files of {chain} {table} in {folder}. This one "
                        "stops, its bookmark where it was: run it again later, or give it a download_dir of its own.",
                    ) from None
            # The run before may have deleted the file between its opening and its locking here.
            if not _is(path, file.fileno()):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
