"""Rules that others keep: Microsoft's best practices for models (trailsbi), and those of report parts (pbir-utils)."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Of trailsbi's three. Below it are opinions, such as that no number be a float, which coins and ratios have to be here.
_ERROR = 3


def best_practices(project: Path) -> Iterator[str]:
    """What breaks a best practice of the highest severity, and files that could not be read at all."""
    from trailsbi.cli import _load, build_graph, downstream_counts  # noqa: PLC0415 - slow to import
    from trailsbi.health import health  # noqa: PLC0415
    from trailsbi.project import resolve_project  # noqa: PLC0415
    from trailsbi.utils import WARNINGS  # noqa: PLC0415

    WARNINGS.clear()
    with contextlib.redirect_stdout(io.StringIO()):
        model, report = _load(resolve_project(str(project)))
        graph, _ = build_graph(model, report)
        downstream_counts(graph)
        rules: list[dict[str, Any]] = health(graph, model, report)
    yield from (f"trailsbi: {warning}" for warning in WARNINGS)
    for rule in rules:
        if rule["severity"] == _ERROR:
            yield from (f"{rule['id']}: {item['table']} {item['label']} {item['note']}" for item in rule["items"])


def report_practices(report: Path) -> Iterator[str]:
    """What breaks a rule of report parts that is more than advice."""
    os.environ["PBIR_UTILS_NO_UPDATE_CHECK"] = "1"  # it would ask the package index for a newer version
    from pbir_utils import validate_report  # noqa: PLC0415
    from pbir_utils.console_utils import console  # noqa: PLC0415

    # It looks for its settings in the working directory too, where another project's might lie.
    folder = str(report.resolve())
    with (
        tempfile.TemporaryDirectory() as empty,
        contextlib.chdir(empty),
        console.suppress_all(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        result = validate_report(folder, strict=False)
    for one in result.violations:
        if one["severity"] != "info":
            yield f"{one['rule_id']}: {one.get('page_name', '')} {one.get('visual_name', '')} {one['message']}"
