"""The command line: `crypto-elt run|summary|estimate|health|doctor|units|env|stop`."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from dotenv import dotenv_values

from console import doctor as checks
from console.envfile import write_env
from console.errors import ConsoleError
from console.estimate import TAPS
from console.estimate import estimate as estimate_of
from console.health import call, examine
from console.leftovers import sweep
from console.metrics import write_metrics
from console.ownership import end_recorded_run, exclusive_run
from console.pipeline import Meltano
from console.project import Project, local_environ
from console.promises import read_hours
from console.services import command
from console.summary import print_summary
from console.terminal import err, out, plain, step
from console.units import place, write_units

_Command = TypeVar("_Command", bound=Callable[..., Any])
_MARKS = {"ok": "[green]✓[/green]", "note": "[yellow]•[/yellow]", "wrong": "[red]✗[/red]"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: crypto-elt run")
@click.version_option(package_name="crypto-elt-console")
def cli() -> None:
    """Run the pipeline, watch it and explain what it holds.

    `crypto-elt run` is all you need at first: it fills a local warehouse from simulated sources.
    """


@cli.command(epilog="Example: crypto-elt run")
def run() -> None:
    """Fill a local warehouse from simulated sources and show it.

    It needs no key, and no network once everything is installed. You can repeat it: only what is new is loaded.
    """
    project = Project.find()
    environ, ignored = local_environ(project, os.environ)
    if ignored:
        err.print(
            f"[yellow]note:[/yellow] a local run does not read {', '.join(ignored)}; see .env.example for dev and prod"
        )
    with exclusive_run(project.run_state) as current:
        sweep(project)
        meltano = Meltano(project, environ, current.run_id)
        with step("installing plugins", "plugins installed") as doing:
            doing.outcome = "" if meltano.install_plugins() else "already there"
        with step("starting the warehouse", "warehouse started"):
            command(project, environ, "warehouse", "start")
        with step("starting the simulated sources", "simulated sources started"):
            command(project, environ, "simulator", "start")
        with step("looking at the warehouse's release", "the warehouse is of this release") as doing:
            doing.outcome = "brought to it" if meltano.migrate(progress=doing.progress) else ""
        with step("running the pipeline", "extracted, loaded, transformed and tested") as doing:
            meltano.run_pipeline(force=current.after_a_dead_run, progress=doing.progress)
    print_summary(project, environ)


def environment_option(about: str) -> Callable[[_Command], _Command]:
    """Add `--environment`, as Meltano has it."""
    return click.option(
        "--environment",
        type=click.Choice(["local", "dev", "prod"]),
        default="local",
        show_default=True,
        envvar="MELTANO_ENVIRONMENT",
        help=about,
    )


@cli.command(epilog="Example: crypto-elt summary --environment=prod")
@environment_option("Whose warehouse to show.")
def summary(environment: str) -> None:
    """Show what the warehouse holds.

    That is rows and days of each table, what was verified, and what is missing.
    """
    project = Project.find()
    environ = local_environ(project, os.environ)[0] if environment == "local" else os.environ
    print_summary(project, environ, environment)


@cli.command(epilog="Example: crypto-elt estimate tap-blockchair--dumps --environment=prod")
@click.argument("tap", type=click.Choice(TAPS), default=TAPS[0], metavar="[TAP]")
@environment_option("Whose settings and bookmarks count.")
def estimate(tap: str, environment: str) -> None:
    """Say what the next run of TAP would download and spend.

    It downloads no table. TAP is tap-blockchair, tap-blockchair--dumps or tap-blockchair--tip. The schedules run the
    last two. Each of the three has bookmarks of its own.
    """
    out.print(plain(estimate_of(Project.find(), environment, tap).rstrip()))


@cli.command(epilog="Example: crypto-elt doctor --environment=prod")
@environment_option("What to look at; dev and prod also check hosts, keys and roles.")
def doctor(environment: str) -> None:
    """Check machine, project, servers, sources and logins.

    Each line that is wrong says what to do. The exit code is then 1.
    """
    states = []
    for title, findings in checks.checklist(Project.find(), environment):
        out.print(f"[bold]{title}[/bold]")
        for finding in findings:
            states.append(finding.state)
            out.print(f"{_MARKS[finding.state]} {plain(finding.text)}")
    right, known, wrong = (states.count(state) for state in _MARKS)
    out.print(f"[bold]{right} in order, {known} to know, {wrong} wrong[/bold]")
    if wrong:
        sys.exit(1)


@cli.command(epilog="Example: crypto-elt health --environment=prod")
@environment_option("Whose streams and marts to look at.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with each stream and mart.")
@click.option(
    "--hours", envvar="HEALTH_HOURS", default="", help="Hours until a name is late: 'bitcoin_*=60 fct_*=200'."
)
@click.option(
    "--heartbeat", envvar="HEALTH_HEARTBEAT_URL", default="", metavar="URL", help="Address to call when all is well."
)
@click.option(
    "--metrics",
    envvar="HEALTH_METRICS_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write metrics for Prometheus's node exporter to this .prom file.",
)
@click.option(
    "--scheduler/--no-scheduler", default=None, help="Whether Airflow has to run; if unset, where it was set up."
)
@click.option("--every", type=click.IntRange(min=1), metavar="SECONDS", help="Go on asking, so many seconds apart.")
def health(environment: str, *, every: int | None, **how: Any) -> None:  # noqa: ANN401 - options of `watch`
    """Say in one line whether all is well.

    The exit code is 0 when all is well and 1 when not. Each stream and mart has a time by which it should be there
    (docs/guides/monitor.md). The command also asks whether the warehouse answers, whether a check fails, how much disk
    is free, and whether Airflow's scheduler is alive. It reads HEALTH_HOURS, HEALTH_HEARTBEAT_URL and
    HEALTH_METRICS_FILE from .env, too.
    """
    while True:
        is_well = _look(environment, **how)
        if every is None:
            sys.exit(0 if is_well else 1)
        time.sleep(every)


def _look(  # noqa: PLR0913 - the options of `health`
    environment: str, *, as_json: bool, hours: str, heartbeat: str, metrics: Path | None, scheduler: bool | None
) -> bool:
    """Ask once, and print, write and call what was asked for; whether all is well."""
    project = Project.find()
    # As in Meltano, a variable of the process wins over the same one in .env.
    variables = {name: value for name, value in {**dotenv_values(project.env_file), **os.environ}.items() if value}
    environ = variables
    if environment == "local":
        airflow = {name: value for name, value in variables.items() if name.startswith("AIRFLOW_")}
        environ = {**local_environ(project, os.environ)[0], **airflow}
    found = examine(
        project, environ, environment, read_hours(hours or variables.get("HEALTH_HOURS", "")), scheduler=scheduler
    )
    out.print(plain(json.dumps(found.as_json(), indent=1) if as_json else found.line()))
    if file := metrics or variables.get("HEALTH_METRICS_FILE"):
        write_metrics(found, Path(file))
    url = heartbeat or variables.get("HEALTH_HEARTBEAT_URL", "")
    if found.is_well and url and (problem := call(url)):
        err.print(plain(problem))
    return found.is_well


@cli.command(epilog="Example: crypto-elt units --folder units")
@click.option("--system", "user", metavar="USER", help="For the machine's own systemd, as this user; else for yours.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where to write them to.")
def units(user: str | None, folder: Path | None) -> None:
    """Write systemd units for this checkout.

    They run Airflow, the dashboard, health, backups, and delete old logs. They go to ~/.config/systemd/user,
    or with --system to /etc/systemd/system, which takes root. Nothing is started.
    """
    where = folder or place(system=user is not None)
    for path in write_units(Project.find(), where, user):
        out.print(plain(str(path)))
    systemctl = "systemctl" if user else "systemctl --user"
    timers = "crypto-elt-health.timer crypto-elt-backup.timer crypto-elt-logs.timer"
    out.print(f"next: {systemctl} daemon-reload; {systemctl} enable --now crypto-elt-airflow {timers}")
    if not user:
        out.print("then: loginctl enable-linger, so that they run while you are not logged in, and after a reboot")


@cli.command(epilog="Example: crypto-elt env")
def env() -> None:
    """Write .env from .env.example, with generated passwords.

    A value that is there already stays.
    """
    project = Project.find()
    sweep(project)
    added = write_env(project)
    out.print(f".env: added {', '.join(added)}" if added else ".env has every variable already")
    out.print(
        "next: name your PostgreSQL in .env (WAREHOUSE_*) and your keys, if you have any; then "
        "`crypto-elt doctor --environment=prod` tries them (docker-compose.yaml needs neither: docs/guides/deploy.md)"
    )


@cli.command(epilog="Example: crypto-elt stop")
def stop() -> None:
    """End what runs: a run, the simulated sources, the warehouse.

    The data stays.
    """
    project = Project.find()
    environ, _ = local_environ(project, os.environ)
    if end_recorded_run(project.run_state):
        out.print("ended the run that was going")
    for program in ("simulator", "warehouse"):
        out.print(command(project, environ, program, "stop").strip() or f"{program} stopped")


def main() -> None:
    """Entry point: an expected failure is one sentence and status 1."""
    try:
        cli()
    except ConsoleError as error:
        err.print(f"[red]error:[/red] {plain(str(error))}")
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("interrupted; rows and bookmarks loaded so far are kept, run again to carry on")
        sys.exit(130)
