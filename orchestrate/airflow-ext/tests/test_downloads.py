"""Where tasks download to: a folder each, kept for the next try, gone in the end."""

import fcntl
import json
import os
import stat
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from airflow_ext import downloads
from airflow_ext.backfill import backfill_dag, plan, read_request
from airflow_ext.builder import build
from airflow_ext.downloads import KEPT_SECONDS, download_options, own_downloads
from airflow_ext.operator import MeltanoOperator
from airflow_ext.project import parse_project

from .conftest import Write
from .processes import DEADLINE_SECONDS, IGNORING, alive, pids, worker
from .test_backfill import ASKED, KNOWN, TODAY
from .test_operator import call, context

FOLDER = "${MELTANO_PROJECT_ROOT}/.state/downloads"
BATCH = {
    "encoding": {"format": "tsv", "compression": "gzip"},
    "storage": {"root": f"file://{FOLDER}"},
}
OPTIONS = {"folder": FOLDER, "variable": "TAP_A_BATCH_CONFIG", "batch": BATCH, "keep": False}
# Downloads as the tap does, into the folder that it is given.
DOWNLOAD = """
from urllib.parse import unquote, urlsplit
own = pathlib.Path(unquote(urlsplit(json.loads(os.environ["TAP_A_BATCH_CONFIG"])["storage"]["root"]).path))
(own / "file.part").open("a").write("x")
"""


def load(root: Path, **more: Any) -> MeltanoOperator:  # noqa: ANN401 - the operator's own
    stated = {"loader": "target-postgres", "downloads": OPTIONS} | more
    return MeltanoOperator(task_id="t", block="tap-a target-postgres", root=str(root), **stated)


def left(root: Path) -> dict[str, str]:
    """What lies in the downloads, by its path."""
    base = root / ".state/downloads"
    return {str(path.relative_to(base)): path.read_text() for path in base.rglob("*") if path.is_file()}


def of(state: str) -> set[str]:
    return {f"{state}/file.part", f"{state}.airflow-task.lock"}


def test_a_failed_task_keeps_what_it_has_and_the_next_try_goes_on(root: Path) -> None:
    task = load(root, state_suffix="backfill-bitcoin-2026-01-01")
    state = "local.tap-a.target-postgres.backfill-bitcoin-2026-01-01"
    (root / "do.py").write_text(DOWNLOAD + "sys.exit(1)")
    for tries in (1, 2):
        with pytest.raises(AirflowException):
            task.execute(context(tries))
        assert left(root)[f"{state}/file.part"] == "x" * tries
    # another day of the same chain, at the same time, has files of its own
    with pytest.raises(AirflowException):
        load(root, state_suffix="backfill-bitcoin-2026-01-02").execute(context())
    assert left(root).keys() == of(state) | of(state.replace("01-01", "01-02"))
    # what the daily load has is the daily load's
    (root / "do.py").write_text(DOWNLOAD)
    load(root).execute(context())
    assert left(root).keys() == of(state) | of(state.replace("01-01", "01-02"))
    # and when a try ends well, all was handed over and loaded
    task.execute(context(3))
    assert left(root).keys() == of(state.replace("01-01", "01-02"))
    assert json.loads(call(root)["env"]["TAP_A_BATCH_CONFIG"])["encoding"] == BATCH["encoding"]


def test_nothing_is_left_for_ever(root: Path) -> None:
    (root / "do.py").write_text(DOWNLOAD + "sys.exit(1)")
    for suffix in ("old", "new"):
        with pytest.raises(AirflowException):
            load(root, state_suffix=suffix).execute(context())
    base = root / ".state/downloads"
    stranger = base / "a-persons-own"
    stranger.mkdir()
    (stranger / "file").write_text("mine")
    past = time.time() - KEPT_SECONDS - 1
    os.utime(base / "local.tap-a.target-postgres.old.airflow-task.lock", (past, past))
    os.utime(stranger, (past, past))
    (root / "do.py").write_text("")
    load(root, state_suffix="third").execute(context())
    assert left(root).keys() == of("local.tap-a.target-postgres.new") | {"a-persons-own/file"}


def test_what_is_not_a_week_old_or_is_held_stays(tmp_path: Path) -> None:
    now = time.time()
    for name, age in (("young", KEPT_SECONDS - 60), ("old", KEPT_SECONDS + 60), ("held", KEPT_SECONDS + 60)):
        (tmp_path / name).mkdir()
        lock = tmp_path / f"{name}.airflow-task.lock"
        lock.touch()
        os.utime(lock, (now - age, now - age))
    said: list[str] = []
    with (tmp_path / "held.airflow-task.lock").open("r+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with own_downloads({**OPTIONS, "folder": str(tmp_path)}, Path("/p"), "own", said.append) as own:
            assert os.get_inheritable(own.lock) is False
            assert own.folder == tmp_path / "own"
            assert stat.S_IMODE(own.folder.stat().st_mode) == 0o700
            os.utime(tmp_path / "own.airflow-task.lock", (0, 0))
            with pytest.raises(BlockingIOError), (tmp_path / "own.airflow-task.lock").open() as other:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert said == ["Deleted the downloads of old, with which nobody has gone on for a week."]
    locks = {f"{name}.airflow-task.lock" for name in ("young", "held")}
    assert {path.name for path in tmp_path.iterdir()} == {"young", "held"} | locks


def test_a_failed_try_counts_from_its_end(tmp_path: Path) -> None:
    """What is a week old then is a week without anybody, however long the try took."""
    lock = tmp_path / "own.airflow-task.lock"

    def fail(**more: object) -> None:
        options = {**OPTIONS, "folder": str(tmp_path)} | more
        with own_downloads(options, Path("/p"), "own", print):
            assert time.time() - lock.stat().st_mtime < 3600
            os.utime(lock, (0, 0))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert time.time() - lock.stat().st_mtime < 3600
    os.utime(lock, (0, 0))
    (tmp_path / "own/file").touch()
    with pytest.raises(RuntimeError):
        fail(keep=True)
    assert [path.name for path in tmp_path.iterdir()] == ["own"], "what is kept is not swept"


def test_a_task_is_given_its_folder_as_its_extractor_takes_it(tmp_path: Path) -> None:
    name = "a b"
    batch = {**BATCH, "storage": {"root": "file:///x", "prefix": "p"}, "batch_size": 5}
    with own_downloads({**OPTIONS, "folder": str(tmp_path), "batch": batch}, Path("/p"), name, print) as own:
        given = json.loads(own.environ["TAP_A_BATCH_CONFIG"])
    assert given == batch | {"storage": {"root": f"file://{tmp_path}/a%20b", "prefix": "p"}}
    plain = {"folder": "${MELTANO_PROJECT_ROOT}/in/$NONE", "variable": "TAP_A_DIR", "batch": None, "keep": False}
    with own_downloads(plain, tmp_path, name, print) as own:
        assert own.environ == {"TAP_A_DIR": f"{tmp_path}/in/$NONE/a b"}


def test_kept_downloads_are_kept(root: Path) -> None:
    (root / "do.py").write_text(DOWNLOAD)
    load(root, downloads=OPTIONS | {"keep": True}).execute(context())
    assert left(root).keys() == {"local.tap-a.target-postgres/file.part"}


def test_the_next_try_waits_until_all_processes_of_the_last_one_have_ended(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is killed; what it started does not end at once, and has the files until then."""
    (root / "do.py").write_text(IGNORING)
    process = subprocess.Popen(
        worker(root, 600, json.dumps(OPTIONS)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        first = pids(root)
    finally:
        process.kill()
        process.wait(DEADLINE_SECONDS)
    try:
        assert all(alive(pid) for pid in first)
        (root / "do.py").write_text(
            "import psutil\n"
            f"left = [psutil.Process(pid).status() for pid in {first} if psutil.pid_exists(pid)]\n"
            "sys.exit(bool(set(left) - {'zombie'}))"
        )
        monkeypatch.setattr(downloads, "_PATIENCE_SECONDS", 0.0)
        with pytest.raises(AirflowException, match=r"Another run has the downloads of local\.tap-a\.target-postgres"):
            load(root).execute(context(2))
        monkeypatch.setattr(downloads, "_PATIENCE_SECONDS", DEADLINE_SECONDS)
        said: list[str] = []

        def end_once_it_waits(line: str, *words: object) -> None:
            said.append(line)
            if "waiting for its end" in line:
                (root / "end").touch()

        monkeypatch.setattr(MeltanoOperator, "log", SimpleNamespace(info=end_once_it_waits, log=print, warning=print))
        load(root).execute(context(3))
    finally:
        (root / "end").touch()
    assert len([line for line in said if "waiting for its end" in line]) == 1
    assert left(root) == {}


def test_what_the_project_says_of_downloads() -> None:
    def options(settings: list[str], **env: str) -> dict[str, Any] | None:
        entry = {"name": "tap-a--b", "settings": [{"name": name} for name in settings], "env": env}
        plugins = {"extractors": [entry]}
        return download_options(parse_project({"plugins": plugins}).plugins["tap-a--b"])

    names = ["download_dir", "batch_config", "keep_downloads"]
    assert options(["start_date"]) is None
    assert options(names, TAP_A__B_BATCH_CONFIG=json.dumps(BATCH)) == OPTIONS | {"variable": "TAP_A__B_BATCH_CONFIG"}
    own = {"folder": "/big", "variable": "TAP_A__B_DOWNLOAD_DIR", "batch": None, "keep": True}
    stated = {"TAP_A__B_DOWNLOAD_DIR": "/big", "TAP_A__B_KEEP_DOWNLOADS": "true"}
    assert options(names, **stated, TAP_A__B_BATCH_CONFIG='{"encoding.format": "none"}') == own
    # as Meltano compiles what meltano.yml overrides
    flat = {"encoding.format": "tsv", "storage.root": "file:///big"}
    found = options(names, TAP_A__B_BATCH_CONFIG=json.dumps(flat))
    assert found is not None
    assert (found["folder"], found["batch"]["storage"]) == ("/big", {"root": "file:///big"})
    found = options(names, TAP_A__B_BATCH_CONFIG=json.dumps(flat | {"storage.root": "file:///a%20b"}))
    assert found is not None
    assert found["folder"] == "/a b"
    # files of another format, or elsewhere than on this machine, are not what is downloaded
    for other in ({"encoding.format": "jsonl"}, {"storage.root": "s3://big"}):
        elsewhere = options(names, TAP_A__B_BATCH_CONFIG=json.dumps(flat | other))
        assert elsewhere is not None
        assert (elsewhere["folder"], elsewhere["variable"]) == (FOLDER, "TAP_A__B_DOWNLOAD_DIR")
    for broken in ("{", "[]", "5", "{}", '{"encoding": 1, "storage": 2}'):
        assert options(names, TAP_A__B_BATCH_CONFIG=broken) == own | {"folder": FOLDER, "keep": False}
    for word, keep in (("1", True), ("YES", True), ("on", True), ("no", False), ("false", False), ("", False)):
        kept = options(names, TAP_A__B_KEEP_DOWNLOADS=word)
        assert kept is not None
        assert kept["keep"] is keep
    usual = options(names)
    assert usual is not None
    assert usual["folder"] == FOLDER


def test_tasks_that_may_run_at_once_download_to_folders_of_their_own(write: Write) -> None:
    environ = write([{"name": "dumps", "tasks": ["tap-blockchair--dumps target-postgres"]}], [])
    daily = build(environ)["dumps"].tasks[0]
    mapped = backfill_dag(environ).get_task("load")
    assert daily.downloads == mapped.partial_kwargs["downloads"] is not None
    suffixes = {one["state_suffix"] for one in plan(read_request(ASKED, TODAY), KNOWN, "TAP_X")}
    assert len(suffixes) == 6
    assert None not in suffixes
