"""The SDK's batch files (jsonl, parquet): each is there whole, or nothing of it is left."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from singer_sdk.batch import Batcher

from tap_blockchair.transfer import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers._batch import BatchConfig


def manifests(tap: str, stream: str, config: BatchConfig, rows: Iterator[dict[str, Any]]) -> Iterator[list[str]]:
    """Write rows to batch files, named for the tap and the stream, and give the URLs of complete ones.

    Raises:
        DumpError: There is no space for a file; what was begun of it is deleted.
    """
    root = config.storage._root_path  # noqa: SLF001 (the only way to where files really lie)
    names = f"{config.storage.prefix or ''}{tap}--{stream}-*"
    whole = set(root.glob(names))
    with writing(f"{stream}: a batch file in {config.storage.root}", "batch_config, TMPDIR", kept=""):
        try:
            for manifest in Batcher(tap, stream, config).get_batches(rows):
                whole = set(root.glob(names))
                yield manifest
        except OSError:
            # The library writes a temporary file and moves it when it is complete: either may have found no space.
            with suppress(OSError):
                root.fs.transaction.complete(commit=False)
            for begun in set(root.glob(names)) - whole:
                with suppress(OSError):
                    begun.unlink()
            raise
