"""All checks of the project, each with what it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from powerbi_project.contract import read_contract
from powerbi_project.generate import drift
from powerbi_project.model import read_model
from powerbi_project.practice import best_practices, report_practices
from powerbi_project.report import read_report
from powerbi_project.rules import RULES, Project
from powerbi_project.schemas import load_schemas, schema_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """Something wrong."""

    check: str
    text: str


@dataclass(frozen=True)
class Layout:
    """Where the project's parts are."""

    project: Path  # the folder of the .pbip file
    manifest: Path | None  # without it the model is not compared with the marts
    schemas: Path | None  # without them the parts are not checked against any

    @property
    def definition(self) -> Path:
        """The semantic model's definition."""
        return self.project / "Crypto.SemanticModel/definition"

    @property
    def report(self) -> Path:
        """The report."""
        return self.project / "Crypto.Report"


def find(layout: Layout) -> Iterator[Finding]:
    """Run every check that its inputs allow.

    Raises:
        ProjectError: A file cannot be read at all.
    """
    if layout.manifest:
        for text in drift(read_contract(layout.manifest), layout.definition):
            yield Finding("drift from the marts", text)
    if layout.schemas:
        for text in schema_errors(layout.project, load_schemas(layout.schemas)):
            yield Finding("schemas", text)
    project = Project(read_model(layout.definition), read_report(layout.report))
    for rule in RULES:
        for text in rule(project):
            yield Finding(rule.__name__.replace("_", " "), text)
    for text in best_practices(layout.project):
        yield Finding("best practices", text)
    for text in report_practices(layout.report):
        yield Finding("report practices", text)
