"""A full disk, too little memory: a run ends in one sentence, nothing is half there, the next goes on."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from singer_sdk.exceptions import SyncError

BLOCKS = ("bitcoin_blocks",)
NAME = "blockchair_bitcoin_blocks_20240101.tsv.gz"
# The tap, with a limit of the operating system that is met as a full disk or memory is; of memory, beyond what it has.
LIMITED = """
import resource, sys
from tap_blockchair.__main__ import main
name, space = sys.argv.pop(1), int(sys.argv.pop(1))
if name == "RLIMIT_AS":
    with open("/proc/self/statm") as file:
        space += int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(getattr(resource, name), (space, resource.RLIM_INFINITY))
main()
"""

NO_MEMORY = """
from tap_blockchair import dump_stream
from tap_blockchair.__main__ import main
def full(*_arguments):
    raise MemoryError
dump_stream.record_lines = full
main()
"""


def config_of(host: Any, tmp_path: Path, **more: Any) -> dict[str, Any]:
    return dict(host.config(download_dir=str(tmp_path / "downloads"), **more))


@pytest.fixture
def day(host: Any, blocks: Any) -> Any:
    host.put("bitcoin", "blocks", "20240101", blocks(*range(300)))
    return host


@pytest.fixture
def limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, str]]:
    """Run the tap as a process: what it wrote to its output, and the one sentence with which it failed."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # Python would cut a module's file off at the limit

    def run_limited(
        config: dict[str, Any], *limit: str, program: str = LIMITED, stdout: Any = subprocess.PIPE
    ) -> tuple[str, str]:
        (tmp_path / "config.json").write_text(json.dumps(config))
        command = [sys.executable, "-c", program, *limit, "--config", str(tmp_path / "config.json")]
        done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=600, check=False)
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        (said,) = [line for line in done.stderr.splitlines() if "CRITICAL" in line]
        return done.stdout or "", said

    return run_limited


@pytest.mark.parametrize(("space", "ranges"), [(500, ["bytes=500-"]), (50, [])], ids=["the file", "the note beside it"])
def test_a_download_that_finds_no_space(
    run: Any, day: Any, asked: Any, limited: Any, tmp_path: Path, space: int, ranges: list[str]
) -> None:
    config = config_of(day, tmp_path)
    written, said = limited(config, "RLIMIT_FSIZE", str(space))
    file = tmp_path / "downloads" / NAME
    assert f"{file} cannot be written (File too large). The bookmark stays where it was." in said
    assert "Check download_dir and the space on its disk, then run again. What arrived is kept" in said
    assert '"RECORD"' not in written
    after = run(config, select=BLOCKS)
    assert (after.error, len(after.ids)) == (None, 300)
    assert asked.ranges == ranges
    assert list((tmp_path / "downloads").iterdir()) == []


@pytest.mark.parametrize("what", ["folder", "lock"])
def test_a_folder_that_takes_no_file(run: Any, day: Any, asked: Any, tmp_path: Path, what: str) -> None:
    downloads = tmp_path / "downloads"
    blocking = downloads if what == "folder" else downloads / "bitcoin_blocks.lock"
    if what == "folder":
        blocking.touch()
    else:
        blocking.mkdir(parents=True)
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert isinstance(result.error, SyncError)
    assert f"{blocking} cannot be written (" in str(result.error)
    assert asked == []
    blocking.unlink() if what == "folder" else blocking.rmdir()
    assert len(run(config_of(day, tmp_path), select=BLOCKS).ids) == 300


def batches(tmp_path: Path, form: str) -> dict[str, Any]:
    root = (tmp_path / "batches").as_uri()
    return {"batch_config": {"encoding": {"format": form, "compression": "gzip"}, "storage": {"root": root}}}


def test_a_file_that_cannot_be_handed_over(run: Any, day: Any, tmp_path: Path) -> None:
    digest = hashlib.sha256(day.path("bitcoin", "blocks", "20240101").read_bytes()).hexdigest()[:12]
    blocking = tmp_path / "batches" / NAME.replace(".tsv", f".{digest}.tsv")
    blocking.mkdir(parents=True)
    config = config_of(day, tmp_path, **batches(tmp_path, "tsv"))
    result = run(config, select=BLOCKS)
    assert isinstance(result.error, SyncError)
    assert f"{blocking} cannot be written (Is a directory)" in str(result.error)
    assert (result.of("BATCH"), result.bookmark("bitcoin_blocks")) == ([], None)
    blocking.rmdir()
    after = run(config, select=BLOCKS)
    assert (after.error, [message["manifest"] for message in after.of("BATCH")]) == (None, [[blocking.as_uri()]])


@pytest.mark.parametrize("where", ["temporary files", "batch files"])
def test_a_batch_file_that_finds_no_space(
    run: Any, day: Any, limited: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Of jsonl: the library writes a temporary file, and moves it to its place."""
    config = config_of(day, tmp_path, keep_downloads=True, **batches(tmp_path, "jsonl"))
    # Downloaded before, so that nothing but the batch file needs space.
    assert run(config_of(day, tmp_path, keep_downloads=True), select=BLOCKS).error is None
    root = tmp_path / "batches"
    if where == "temporary files":
        written, said = limited(config, "RLIMIT_FSIZE", "100")
        assert '"BATCH"' not in written
    else:
        full = OSError(28, "No space left on device")

        def half(_source: str, target: str) -> None:
            Path(target).write_text("half")
            raise full

        monkeypatch.setattr("fsspec.implementations.local.shutil.move", half)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
        result = run(config, select=BLOCKS)
        monkeypatch.undo()
        said = str(result.error)
        assert (result.of("BATCH"), result.bookmark("bitcoin_blocks")) == ([], None)
    assert f"bitcoin_blocks: a batch file in {root.as_uri()} cannot be written (" in said
    assert "Check batch_config, TMPDIR and the space on its disk, then run again." in said
    assert [path for folder in (root, tmp_path / "tmp") if folder.exists() for path in folder.iterdir()] == []
    after = run(config, select=BLOCKS)
    lines = [
        line
        for message in after.of("BATCH")
        for url in message["manifest"]
        for line in gzip.decompress(Path(url.removeprefix("file://")).read_bytes()).splitlines()
    ]
    assert (after.error, len(lines)) == (None, 300)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_takes_no_more(
    run: Any, day: Any, limited: Any, tmp_path: Path, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    config = config_of(day, tmp_path)
    with Path("/dev/full").open("w") as full:
        _, said = limited(config, "RLIMIT_FSIZE", "-1", stdout=full)
    assert "the messages cannot be written (No space left on device). What was sent before is kept" in said
    assert "Make space for them, then run again." in said
    assert len(run(config, select=BLOCKS).ids) == 300


def test_a_file_that_needs_more_memory_than_there_is(
    run: Any, host: Any, blocks: Any, asked: Any, limited: Any, tmp_path: Path
) -> None:
    long = gzip.decompress(blocks(1, 2)).replace(b"\tab", b"\t" + b"ab" * (16 << 20), 1)
    host.put("bitcoin", "blocks", "20240101", gzip.compress(long, compresslevel=1))
    config = config_of(host, tmp_path)
    written, said = limited(config, "RLIMIT_AS", str(40 << 20))
    assert f"bitcoin_blocks: to read {NAME}, the memory did not suffice" in said
    assert "The bookmark stays where it was. The file is kept. Give the tap more memory" in said
    assert '"RECORD"' not in written
    assert "replication_key_value" not in written
    after = run(config, select=BLOCKS)
    assert (after.error, after.ids) == (None, [1, 2])
    assert asked.files == [], "the file was kept"


def test_no_memory_elsewhere(run: Any, day: Any, limited: Any, tmp_path: Path) -> None:
    written, said = limited(config_of(day, tmp_path), program=NO_MEMORY)
    assert "the memory did not suffice. What was sent before is kept, and the bookmark stays where its rows" in said
    assert "replication_key_value" not in written
    assert len(run(config_of(day, tmp_path), select=BLOCKS).ids) == 300
