"""The command `simulator`."""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

import rich_click as click

from simulator import __version__
from simulator.blockchair.chains import CHAINS, default_chains
from simulator.client import ask
from simulator.daemon import Home, start, stop
from simulator.failures import SimulatorError
from simulator.instants import parse_instant
from simulator.project import find_root, write_env_block
from simulator.settings import COINGECKO_LIMITS, ERAS, QUIRKS, Settings, SettingsError
from simulator.sockets import HOST

if TYPE_CHECKING:
    from collections.abc import Callable

_NOT_RUNNING: Final = 3
_Command = TypeVar("_Command", bound="Callable[..., Any]")


class _Instant(click.ParamType[Any]):
    """A date and time, UTC unless it says otherwise."""

    name = "date-time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read what was typed."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_instant(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Day(click.ParamType[Any]):
    """A date."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read what was typed."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no ISO date, such as 2025-01-01.", param, ctx)


_FOLDER: Final = click.Path(path_type=Path, resolve_path=True)


def _option(name: str, kind: object, text: str, default: object = None) -> Callable[[_Command], _Command]:
    """An option that can also be given as an environment variable."""
    return click.option(
        f"--{name}",
        type=cast("click.ParamType[Any]", kind),
        default=default,
        show_default=default is not None,
        envvar=f"SIMULATOR_{name.upper().replace('-', '_')}",
        show_envvar=True,
        help=text,
    )


_STATE_DIR: Final = _option("state-dir", _FOLDER, "Folder for clock, port, record and log; else that of the project.")
_WORLD: Final = (
    _option("seed", int, "Seed of everything that looks random.", 1),
    _option("start", _Day(), "First day of the chains.", "2025-01-01"),
    _option("days", int, "Whole days that lie in the past at first.", 14),
    _option("blocks-per-day", int, "Blocks per chain and day.", 24),
    _option("transactions-per-block", int, "Transactions per block.", 8),
    _option("dumps-dir", _FOLDER, "Folder of real dump files to serve unchanged."),
    _option("prices-dir", _FOLDER, "Folder of real price exports to serve."),
    _option("chains", str, f"Chains to simulate, comma separated, of {', '.join(CHAINS)}.", ",".join(default_chains())),
    _option("now", _Instant(), "Where the clock starts, UTC; else 06:00 after the last day."),
    _option("points-per-day", int, "Blockchair's points a day without a key; else no limit."),
    _option("requests-per-minute", int, "Blockchair's requests a minute without a key; else no limit."),
    _option("api-keys", str, "Blockchair's keys, comma separated, each `key` or `key:points`; else all are good.", ""),
    _option("coingecko-keys", str, "CoinGecko's keys, comma separated, each `key[:plan][:credits]`; else all.", ""),
    _option("coingecko-limits", click.Choice(COINGECKO_LIMITS), "CoinGecko's limits: none, or the plans'.", "off"),
    _option("coingecko-per-minute", int, "CoinGecko's calls a minute and client, in place of the plan's."),
    _option("coingecko-credits", int, "CoinGecko's credits a month and key, in place of the plan's."),
    _option("quirks", str, f"Oddities, comma separated: {', '.join(QUIRKS)}.", ""),
    _option("ethereum-era", click.Choice(ERAS), "Ethereum after the Merge, or between London and it.", ERAS[0]),
    _option("port", click.IntRange(1, 65535), "Port on 127.0.0.1; else that of last time if free, else any."),
    _STATE_DIR,
)


def _with_world(command: _Command) -> _Command:
    for option in reversed(_WORLD):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Stand in for Blockchair's API, Blockchair's dump host and CoinGecko, on the loopback address.

    The world is made from a seed, the clock moves only when it is advanced, and nothing needs a key or a network.
    The world's options can be given as environment variables, such as SIMULATOR_SEED.
    """


@cli.command("serve")
@_with_world
@_option("host", str, "Address to listen on; in a container 0.0.0.0.", HOST)
@click.option("--inherited-socket", type=int, hidden=True)
def serve_command(
    *,
    host: str,
    port: int | None,
    state_dir: Path | None,
    inherited_socket: int | None,
    **world: Any,  # noqa: ANN401 - the options of the world, as Settings names them
) -> None:
    """Serve in the foreground until interrupted."""
    home = Home(_state_folder(state_dir))
    settings = _settings(home, world)
    from simulator.app import create_app  # noqa: PLC0415 - the other commands do without the web parts
    from simulator.server import serve  # noqa: PLC0415

    if inherited_socket is not None:  # started by `simulator start`, which keeps the record
        serve(create_app(settings), socket.socket(fileno=inherited_socket))
        return
    app = create_app(settings)
    with home.alone():
        running = home.running()
        if running is not None:
            raise SimulatorError(f"A simulator already runs at {running.url}; end it with `simulator stop`.")
        listener = home.listen(port, host)
        record = home.write(settings, os.getpid(), listener.getsockname()[1])
    _say(f"Simulator at {record.url}, interrupt to end it.")
    try:
        serve(app, listener)
    except KeyboardInterrupt:
        _say("Ended.")
    finally:
        home.forget()


@cli.command("start")
@_with_world
@click.option("--restart", is_flag=True, help="Replace a running simulator.")
@click.option("--env-file", type=_FOLDER, help="File that gets LOCAL_SIMULATOR_URL; else .env of the project.")
@click.option("--no-env-file", is_flag=True, help="Write no such file.")
def start_command(
    *,
    port: int | None,
    state_dir: Path | None,
    restart: bool,
    env_file: Path | None,
    no_env_file: bool,
    **world: Any,  # noqa: ANN401 - the options of the world, as Settings names them
) -> None:
    """Start in the background, wait until it answers, and note its address in .env.

    Does nothing when one with the same parameters already runs.
    """
    home = Home(_state_folder(state_dir))
    settings = _settings(home, world)
    record, started = start(home, settings, _flags(settings), port, restart=restart)
    _say(f"Simulator {'started' if started else 'already running'} at {record.url}")
    root = find_root()
    if env_file is None and root is not None:
        env_file = root / ".env"
    if not no_env_file and env_file is not None:
        write_env_block(env_file, {"LOCAL_SIMULATOR_URL": record.url})


@cli.command("stop")
@_STATE_DIR
def stop_command(state_dir: Path | None) -> None:
    """End the simulator; its clock is kept."""
    record = stop(Home(_state_folder(state_dir)))
    _say("No simulator was running." if record is None else f"Simulator at {record.url} ended.")


@cli.command("status")
@_STATE_DIR
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def status_command(ctx: click.Context, *, state_dir: Path | None, as_json: bool) -> None:
    """Show address, clock and parameters; exit code 3 when none runs."""
    record = Home(_state_folder(state_dir)).running()
    answer: dict[str, Any] | None = None
    if record is not None:
        try:
            answer = ask(record.port, "/status")
        except SimulatorError:
            answer = None
    if record is None or answer is None:
        _say(json.dumps({"running": False}) if as_json else "No simulator is running; `simulator start` starts one.")
        ctx.exit(_NOT_RUNNING)
    if as_json:
        _say(json.dumps({"running": True, "url": record.url, **answer}))
        return
    _say(f"url   {record.url}\nnow   {answer['now']}\npid   {record.pid}")
    for name, value in answer["parameters"].items():
        _say(f"{name} = {','.join(value) if isinstance(value, list) else value}")


@cli.command("advance")
@_STATE_DIR
@click.argument("days", type=click.IntRange(min=0), required=False)
@click.option("--to", type=_Instant(), help="An instant to move to instead, UTC.")
def advance_command(state_dir: Path | None, days: int | None, to: datetime | None) -> None:
    """Move the clock of the running simulator forward by DAYS (default 1)."""
    if days is not None and to is not None:
        raise click.UsageError("Give DAYS or --to, not both.")
    record = Home(_state_folder(state_dir)).running()
    if record is None:
        raise SimulatorError(
            "No simulator is running, so its clock was left as it is; start one with `simulator start`."
        )
    step: dict[str, object] = {"to": to.isoformat()} if to else {"days": 1 if days is None else days}
    _say(f"now   {ask(record.port, '/advance', step)['now']}")


@cli.command("reset")
@_STATE_DIR
def reset_command(state_dir: Path | None) -> None:
    """End the simulator and forget its clock, port and log."""
    home = Home(_state_folder(state_dir))
    stop(home)
    home.clear()
    _say(f"Nothing of the simulator is left in {home.folder}; the next start begins a new clock.")


def _state_folder(given: Path | None) -> Path:
    if given is not None:
        return given
    root = find_root()
    if root is None:
        raise SimulatorError(
            "No project was found: there is no meltano.yml here or above, nor where MELTANO_PROJECT_ROOT points; "
            "change into the project, or name a folder with --state-dir."
        )
    state = root / ".state"
    state.mkdir(mode=0o700, exist_ok=True)
    return state / "simulator"


def _settings(home: Home, world: dict[str, Any]) -> Settings:
    for name in ("chains", "api_keys", "coingecko_keys", "quirks"):
        world[name] = tuple(part.strip() for part in world[name].split(",") if part.strip())
    return Settings(state_dir=home.folder, **world)


def _flags(settings: Settings) -> list[str]:
    """The settings as arguments of `simulator serve`."""
    flags = ["--state-dir", str(settings.state_dir)]
    for name, value in settings.parameters().items():
        if value is not None:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            flags += [f"--{name.replace('_', '-')}", text]
    return flags


def _say(text: str) -> None:
    click.echo(text)


def main() -> NoReturn:
    """Run the command; expected failures are one sentence on standard error.

    Exit codes: 0 done, 1 a failure, 2 wrong usage, 3 not running (status only), 130 interrupted.
    """
    code = 1
    try:
        code = int(cli.main(prog_name="simulator", standalone_mode=False) or 0)
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        code = error.exit_code
    except (SimulatorError, SettingsError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
    except (click.Abort, KeyboardInterrupt):
        code = 130
    sys.exit(code)
