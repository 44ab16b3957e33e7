"""The two programs: `airflow_extension`, and `airflow_invoker`, which is Airflow's own command line."""

from __future__ import annotations

import os
import sys

import click
from meltano.edk.extension import DescribeFormat

from airflow_ext import health
from airflow_ext.errors import AirflowExtError
from airflow_ext.extension import Airflow
from airflow_ext.manifest import compile_manifest
from airflow_ext.registry import stop_all
from airflow_ext.supervisor import COMPONENTS


def _say(line: str) -> None:
    click.echo(f"airflow: {line}", err=True)


def _extension() -> Airflow:
    return Airflow(os.environ, _say)


class _Group(click.Group):
    """Turns expected failures into one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AirflowExtError as error:
            raise click.ClickException(str(error)) from None


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: meltano invoke airflow:up",
)
@click.version_option(package_name="crypto-elt-airflow-ext")
def app() -> None:
    """Run Airflow by the settings and schedules of a Meltano project.

    Each command is called as `meltano invoke airflow:COMMAND`. `meltano invoke airflow ...` is Airflow's own command
    line.

    Progress goes to standard error, data to standard output.
    """


@app.command(epilog="Example: meltano invoke airflow:initialize")
@click.option("--force", is_flag=True, help="Set the administrator's password and the pools again.")
def initialize(*, force: bool) -> None:
    """Make folders, secrets, tables, administrator and pools.

    It also compiles the project for the DAGs. You can repeat it.
    """
    _extension().initialize(force)


@app.command("create-admin", epilog="Example: meltano invoke airflow:create-admin --new-password")
@click.option("--new-password", is_flag=True, help="Generate another password first.")
def create_admin(*, new_password: bool) -> None:
    """Make the administrator, or set the password again.

    The password is that of the setting, else the one in .state/airflow/admin-password.
    """
    _extension().create_admin(new_password=new_password)


@app.command(epilog="Example: meltano invoke airflow:up --only scheduler")
@click.option(
    "--only",
    type=click.Choice(COMPONENTS),
    multiple=True,
    help="Run this component only; may be given several times. A worker is for the CeleryExecutor.",
)
def up(only: tuple[str, ...]) -> None:
    """Run Airflow in the foreground, until Ctrl-C or SIGTERM.

    Without --only these run: API server, scheduler, DAG processor, and with the CeleryExecutor a worker.
    """
    extension = _extension()
    celery = extension.environ.get("AIRFLOW__CORE__EXECUTOR") == "CeleryExecutor"
    extension.up(only or tuple(name for name in COMPONENTS if celery or name != "worker"))


@app.command(epilog="Example: meltano invoke airflow:down")
def down() -> None:
    """End every `up` of this project on this machine.

    It is no error when none runs.
    """
    ended = stop_all(_extension().settings)
    _say("stopped" if ended else "not running")


@app.command(epilog="Example: meltano invoke airflow:check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(*, as_json: bool) -> None:
    """Check secrets, database, files, addresses and components.

    Each line that is wrong says what to do. The exit code is then 1.
    """
    extension = _extension()
    found = health.examine(extension.settings, extension.environ)
    click.echo(health.as_json(found) if as_json else health.as_text(found))
    sys.exit(any(finding.ok is False for finding in found))


@app.command(epilog="Example: meltano invoke airflow:manifest")
def manifest() -> None:
    """Compile the project into the file that the DAGs read.

    `up` does so by itself when a project file changes.
    """
    extension = _extension()
    compile_manifest(extension.settings, extension.environ)
    click.echo(str(extension.settings.manifest))


@app.command(epilog="Example: meltano invoke airflow:describe")
@click.option(
    "--format",
    "output",
    type=click.Choice([one.value for one in DescribeFormat]),
    default=DescribeFormat.text.value,
    help="How to print it.",
)
def describe(output: str) -> None:
    """Say what this extension offers."""
    extension = _extension()
    if output != DescribeFormat.text.value:
        click.echo(extension.describe_formatted(DescribeFormat(output)))
        return
    # The kit's own text leaves every name out.
    for program in extension.describe().commands:
        click.echo(f"{program.name}: {program.description}")
        for name, command in app.commands.items():
            if name in program.commands:
                click.echo(f"  {name:13} {command.get_short_help_str(100)}")


def pass_through() -> None:
    """`airflow_invoker`: Airflow's command line, in the environment that Meltano's settings make."""
    try:
        _extension().invoke(None, *sys.argv[1:])
    except AirflowExtError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
