"""Fixtures of the tests that cross rooms."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout import PROJECT, Checkout, make_checkout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A fresh checkout for the tests of one file, which run in the order they are written."""
    with make_checkout(tmp_path_factory.mktemp("checkout") / "crypto-elt") as made:
        yield made


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of the real samples; without them a test skips, except in CI."""
    folder = Path(os.environ.get("SAMPLES_DIR", PROJECT.parent / "shared" / "samples"))
    if not folder.is_dir():
        reason = f"no real samples at {folder}; name their folder in SAMPLES_DIR"
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)
    return folder.resolve()
