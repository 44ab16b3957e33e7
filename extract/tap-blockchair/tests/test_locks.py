"""Two runs that share a download folder: the second stops before it touches a file."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tap_blockchair.dumpfile import DumpError
from tap_blockchair.transfer import locked

BLOCKS = ("bitcoin_blocks",)


def config_of(host: Any, folder: Path, **more: Any) -> dict[str, Any]:
    return dict(host.config(download_dir=str(folder), **more))


@pytest.mark.parametrize("batch", [False, True])
def test_the_second_run_stops_and_touches_nothing(
    run: Any, host: Any, asked: Any, blocks: Any, tmp_path: Path, *, batch: bool
) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1, 2))
    host.put("bitcoin", "transactions", "20240101", blocks(1))
    storage = {"encoding": {"format": "tsv", "compression": "gzip"}, "storage": {"root": tmp_path.as_uri()}}
    config = config_of(host, tmp_path, **({"batch_config": storage} if batch else {}))
    part = tmp_path / "blockchair_bitcoin_blocks_20240101.tsv.gz.part"
    with locked(tmp_path, "bitcoin", "blocks"):
        part.write_bytes(b"the other run's")
        second = run(config, select=BLOCKS)
        assert "another run of the tap is using the files of bitcoin blocks in" in str(second.error)
        assert (second.of("RECORD"), second.of("BATCH"), asked) == ([], [], [])
        assert part.read_bytes() == b"the other run's"
        with locked(tmp_path, "bitcoin", "transactions"), locked(tmp_path, "dogecoin", "blocks"):
            pass  # other tables are nobody's concern
    after = run(config, select=BLOCKS)
    assert after.error is None
    assert len(after.of("BATCH" if batch else "RECORD")) == (1 if batch else 2)
    assert not list(tmp_path.glob("*.lock"))


def test_the_folder_is_its_owners_alone(run: Any, host: Any, blocks: Any, tmp_path: Path) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1, 2))
    assert run(config_of(host, tmp_path / "a" / "b", keep_downloads=True), select=BLOCKS).error is None
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_failed_run_leaves_no_lock(run: Any, host: Any, blocks: Any, tmp_path: Path) -> None:
    host.put("bitcoin", "blocks", "20240101", b"<html>402</html>")
    failed = run(config_of(host, tmp_path), select=BLOCKS)
    assert failed.error
    host.put("bitcoin", "blocks", "20240101", blocks(1, 2))
    assert len(run(config_of(host, tmp_path), select=BLOCKS).records("bitcoin_blocks")) == 2


def test_a_killed_run_leaves_none_either(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys; from tap_blockchair.transfer import locked\n"
        "with locked(pathlib.Path(sys.argv[1]), 'bitcoin', 'blocks'):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DumpError, match="another run"), locked(tmp_path, "bitcoin", "blocks"):
            pass
        other.kill()
    assert (tmp_path / "bitcoin_blocks.lock").exists()
    with locked(tmp_path, "bitcoin", "blocks"):
        pass


def test_a_lock_on_a_deleted_file_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run before deletes its lock file after this one has opened it."""
    flock, opened = fcntl.flock, list[int]()

    def late(file: Any, operation: int) -> None:
        flock(file, operation)
        opened.append(os.fstat(file.fileno()).st_ino)
        if len(opened) == 1:
            (tmp_path / "bitcoin_blocks.lock").unlink()

    monkeypatch.setattr("tap_blockchair.transfer.fcntl.flock", late)
    with locked(tmp_path, "bitcoin", "blocks"):
        assert os.stat(tmp_path / "bitcoin_blocks.lock").st_ino == opened[-1]  # noqa: PTH116 (its inode)
    assert len(opened) == 2
