"""Fixtures: the project as it stands, and copies of it to damage."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ANALYZE = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of `analyze/powerbi`."""
    copy = tmp_path / "powerbi"
    shutil.copytree(ANALYZE / "powerbi", copy)
    return copy


@pytest.fixture(scope="session")
def schemas() -> Path:
    """Microsoft's schemas; without them a test skips, except in CI."""
    folder = Path(os.environ.get("SCHEMAS_DIR", ANALYZE.parents[1] / "shared/schemas")) / "microsoft-fabric"
    if not folder.is_dir():
        reason = f"no published schemas at {folder}; name the folder that holds microsoft-fabric in SCHEMAS_DIR"
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)
    return folder
