"""The command `simulator`."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

import click

from simulator import __version__
from simulator.clock import parse_instant
from simulator.daemon import HOST, StateFolder, ask, start, stop
from simulator.files import find_root, write_env_block
from simulator.settings import Settings, SimulatorError, read_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOT_RUNNING: Final = 3
_Command = TypeVar("_Command", bound="Callable[..., Any]")


class _Parsed(click.ParamType[Any]):
    """What a function reads from a text; its ValueError is the message."""

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name, self._read = name, read

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Read what was typed; a default is a value already."""
        try:
            return self._read(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


_DAY: Final = _Parsed("date", date.fromisoformat)
_INSTANT: Final = _Parsed("date-time", parse_instant)
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
_KINDS: Final[dict[str, object]] = {
    "date": _DAY,
    "datetime": _INSTANT,
    "Path": _FOLDER,
    "int": int,
    "int | str": _Parsed("by chain", read_sizes),
}
"""The options' types by the types of the settings; all else is text."""


def _world() -> Iterator[Callable[[_Command], _Command]]:
    """An option for each setting, as that describes it."""
    for field in dataclasses.fields(Settings)[1:]:
        kind = _KINDS.get(str(field.type).removesuffix(" | None"), str)
        choices = field.metadata.get("choices")
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        name = field.name.replace("_", "-")
        yield _option(name, click.Choice(choices) if choices else kind, field.metadata["help"], default)
    yield _option("port", click.IntRange(1, 65535), "Port on 127.0.0.1; else that of last time if free, else any.")
    yield _STATE_DIR


def _with_world(command: _Command) -> _Command:
    for option in reversed(list(_world())):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: simulator start --days 30")
@click.version_option(__version__)
def cli() -> None:
    """Stand in for Blockchair's API, Blockchair's dump host and CoinGecko, on the loopback address.

    The world is made from a seed, the clock moves only when it is advanced, and nothing needs a key or a network.
    The world's options can be given as environment variables, such as SIMULATOR_SEED.
    """


@cli.command("serve", epilog="Example: simulator serve --port 57481")
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
    folder = _state_folder(state_dir)
    settings = _settings(folder, world)
    from simulator.server import create_app, serve  # noqa: PLC0415 - the other commands do without the web parts

    if inherited_socket is not None:  # started by `simulator start`, which keeps the record
        serve(create_app(settings), socket.socket(fileno=inherited_socket))
        return
    app = create_app(settings)
    with folder.locked():
        running = folder.running()
        if running is not None:
            raise SimulatorError(f"A simulator already runs at {running.url}; end it with `simulator stop`.")
        listener = folder.listen(port, host)
        record = folder.write(settings, os.getpid(), listener.getsockname()[1])
    click.echo(f"Simulator at {record.url}, interrupt to end it.")
    try:
        serve(app, listener)
    except KeyboardInterrupt:
        click.echo("Ended.")
    finally:
        folder.forget()


@cli.command("start", epilog="Example: simulator start --days 30 --chains bitcoin,litecoin")
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
    """Start in the background, and note the address in .env.

    It waits until the simulator answers. It does nothing when one with the same parameters already runs.
    """
    folder = _state_folder(state_dir)
    settings = _settings(folder, world)
    record, started = start(folder, settings, _flags(settings), port, restart=restart)
    click.echo(f"Simulator {'started' if started else 'already running'} at {record.url}")
    root = find_root()
    if env_file is None and root is not None:
        env_file = root / ".env"
    if not no_env_file and env_file is not None:
        write_env_block(env_file, {"LOCAL_SIMULATOR_URL": record.url})


@cli.command("stop", epilog="Example: simulator stop")
@_STATE_DIR
def stop_command(state_dir: Path | None) -> None:
    """End the simulator; its clock is kept."""
    record = stop(_state_folder(state_dir))
    click.echo("No simulator was running." if record is None else f"Simulator at {record.url} ended.")


@cli.command("status", epilog="Example: simulator status --json")
@_STATE_DIR
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def status_command(ctx: click.Context, *, state_dir: Path | None, as_json: bool) -> None:
    """Show address, clock and parameters; exit code 3 if none runs."""
    record = _state_folder(state_dir).running()
    answer: dict[str, Any] | None = None
    if record is not None:
        try:
            answer = ask(record.port, "/status")
        except SimulatorError:
            answer = None
    if record is None or answer is None:
        none = "No simulator is running; `simulator start` starts one."
        click.echo(json.dumps({"running": False}) if as_json else none)
        ctx.exit(_NOT_RUNNING)
    if as_json:
        click.echo(json.dumps({"running": True, "url": record.url, **answer}))
        return
    click.echo(f"url   {record.url}\nnow   {answer['now']}\npid   {record.pid}")
    for name, value in answer["parameters"].items():
        click.echo(f"{name} = {','.join(value) if isinstance(value, list) else value}")


@cli.command("advance", epilog="Example: simulator advance 2")
@_STATE_DIR
@click.argument("days", type=click.IntRange(min=0), required=False)
@click.option("--to", type=_INSTANT, help="An instant to move to instead, UTC.")
def advance_command(state_dir: Path | None, days: int | None, to: datetime | None) -> None:
    """Move the simulated clock forward by DAYS (default 1).

    The simulator has to run.
    """
    if days is not None and to is not None:
        raise click.UsageError("Give DAYS or --to, not both.")
    record = _state_folder(state_dir).running()
    if record is None:
        raise SimulatorError(
            "No simulator is running, so its clock was left as it is; start one with `simulator start`."
        )
    step: dict[str, object] = {"to": to.isoformat()} if to else {"days": 1 if days is None else days}
    click.echo(f"now   {ask(record.port, '/advance', step)['now']}")


@cli.command("reset", epilog="Example: simulator reset")
@_STATE_DIR
def reset_command(state_dir: Path | None) -> None:
    """End the simulator and forget its clock, port and log."""
    folder = _state_folder(state_dir)
    stop(folder)
    folder.clear()
    click.echo(f"Nothing of the simulator is left in {folder.path}; the next start begins a new clock.")


def _state_folder(given: Path | None) -> StateFolder:
    if given is not None:
        return StateFolder(given)
    root = find_root()
    if root is None:
        raise SimulatorError(
            "No project was found: there is no meltano.yml here or above, nor where MELTANO_PROJECT_ROOT points; "
            "change into the project, or name a folder with --state-dir."
        )
    state = root / ".state"
    state.mkdir(mode=0o700, exist_ok=True)
    return StateFolder(state / "simulator")


def _settings(folder: StateFolder, world: dict[str, Any]) -> Settings:
    for name in ("chains", "api_keys", "coingecko_keys", "quirks"):
        world[name] = tuple(part.strip() for part in world[name].split(",") if part.strip())
    return Settings(state_dir=folder.path, **world)


def _flags(settings: Settings) -> list[str]:
    """The settings as arguments of `simulator serve`."""
    flags = ["--state-dir", str(settings.state_dir)]
    for name, value in settings.parameters().items():
        if value is not None:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            flags += [f"--{name.replace('_', '-')}", text]
    return flags


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
    except (SimulatorError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
    except (click.Abort, KeyboardInterrupt):
        code = 130
    sys.exit(code)
