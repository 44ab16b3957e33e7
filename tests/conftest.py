"""Fixtures of the tests that cross packages."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checkout import PROJECT, Checkout, install, lend, needed, wipe
from worlds import World, fill_or_restore

WORLDS = "worlds"


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder of the whole run, which processes of pytest-xdist share."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Delete the filled warehouses at the end of the whole run."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        base = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        shutil.rmtree(base / WORLDS, ignore_errors=True)


# Files that take long, or fill a world that others restore, come first, so that no process works alone at the end.
FIRST = ("test_airflow_up", "test_airflow_runs", "test_deployment", "test_run", "test_incremental_models", "test_gate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take long before the others; within a file the order stays."""
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a checkout with all that a first run installs; one for each process that runs tests."""
    folder = tmp_path_factory.mktemp("installed") / "crypto-elt"
    install(folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def checkout(installed: Path) -> Iterator[Checkout]:
    """An installed checkout for the tests of one file: no servers, no rows, no bookmarks, no .env."""
    with lend(installed, wipe) as lent:
        yield lent


@pytest.fixture(scope="module")
def bare_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout in which nothing is installed, for the tests of one file."""
    with lend(tmp_path_factory.mktemp("checkout") / "crypto-elt", shutil.rmtree) as made:
        yield made


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where copies of filled checkouts are kept."""
    return shared_folder(tmp_path_factory) / WORLDS


@pytest.fixture(scope="module")
def filled(checkout: Checkout, worlds: Path) -> Callable[[World], Checkout]:
    """Fills the file's checkout with a world, whose servers then run; a world is filled once for all files."""

    def fill(world: World) -> Checkout:
        fill_or_restore(checkout, world, worlds)
        return checkout

    return fill


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of the real samples; without them a test skips, except in CI."""
    folder = Path(os.environ.get("SAMPLES_DIR", PROJECT.parent / "shared" / "samples"))
    needed(folder.is_dir(), f"no real samples at {folder}; name their folder in SAMPLES_DIR")
    return folder.resolve()
