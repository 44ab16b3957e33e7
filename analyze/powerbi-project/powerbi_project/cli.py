"""The command line: `powerbi-project generate` and `powerbi-project check`."""

from __future__ import annotations

from pathlib import Path

import click

from powerbi_project.check import Layout, find
from powerbi_project.contract import read_contract
from powerbi_project.errors import ProjectError
from powerbi_project.generate import write

_PROJECT = click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path("analyze/powerbi"),
    show_default=True,
    help="Folder of the .pbip file.",
)
_MANIFEST = click.option(
    "--manifest",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("transform/target/manifest.json"),
    show_default=True,
    help="What dbt knows; `meltano invoke dbt-postgres parse` and every build write it.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: meltano invoke powerbi check")
@click.version_option(package_name="crypto-elt-powerbi-project")
def main() -> None:
    """Write the Power BI model from dbt's manifest, and check it.

    It needs no Power BI.
    """


@main.command(epilog="Example: meltano invoke powerbi generate")
@_PROJECT
@_MANIFEST
def generate(project: Path, manifest: Path) -> None:
    """Write the model's tables and relationships.

    Measures and pages stay as they are.
    """
    try:
        contract = read_contract(manifest)
        written, deleted = write(contract, Layout(project, manifest, None).definition)
    except ProjectError as error:
        raise click.ClickException(str(error)) from None
    for path in deleted:
        click.echo(f"deleted {path}: dbt has no such table any more", err=True)
    counts = f"{len(contract.tables)} tables and {len(contract.relationships)} relationships"
    click.echo(f"{counts}; {written} files are new or changed", err=True)


@main.command(epilog="Example: meltano invoke powerbi check")
@_PROJECT
@_MANIFEST
@click.option(
    "--schemas",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    envvar="SCHEMAS_DIR",
    show_envvar=True,
    help="Copy of Microsoft's json-schemas repository; without it parts are not held against schemas.",
)
def check(project: Path, manifest: Path, schemas: Path | None) -> None:
    """Compare model and report with dbt's models and the rules.

    The exit code is 1 when anything is wrong.
    """
    try:
        findings = list(find(Layout(project, manifest, schemas)))
    except ProjectError as error:
        raise click.ClickException(str(error)) from None
    for finding in findings:
        click.echo(f"{finding.check}: {finding.text}")
    if not schemas:
        click.echo("schemas: not looked at, since none are named (--schemas)", err=True)
    if findings:
        raise click.ClickException(f"{len(findings)} findings; `powerbi-project generate` mends drift from the marts.")
    click.echo("model and report are in order; opening them in Power BI Desktop is not checked", err=True)
