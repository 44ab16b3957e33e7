"""The command line. Each setting is an option and a variable of the environment, as Meltano passes them."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from mirror_node.chains import CHAINS
from mirror_node.clients import open_adapter
from mirror_node.day_files import DayFiles
from mirror_node.errors import MirrorError
from mirror_node.mirror import Mirror, Plan, held
from mirror_node.progress import Progress
from mirror_node.rpc import Login, login
from mirror_node.store import Store
from mirror_node.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_Command = TypeVar("_Command", bound="Callable[..., None]")
_PREFIX = "MIRROR_NODE"


@dataclass(frozen=True)
class Settings:
    """What all commands need."""

    chain: str
    where: Login
    mirror_dir: Path
    state_dir: Path
    parallel_requests: int
    finality: int
    commit_blocks: int

    @property
    def folder(self) -> Path:
        """The chain's folder in `state_dir`."""
        return self.state_dir / self.chain


class _Day(click.ParamType[date]):
    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no day such as 2026-11-30", param, ctx)


def _say(sentence: str) -> None:
    click.echo(f"mirror-node: {sentence}", err=True)


def _variable(name: str) -> str:
    return f"{_PREFIX}_{name.upper()}"


def settings_options(command: _Command) -> _Command:
    """Add the settings to a command."""
    options = [
        click.option(
            "--chain", type=click.Choice(sorted(CHAINS)), default="bitcoin", show_default=True, help="The node's chain."
        ),
        click.option("--rpc-url", default="http://127.0.0.1:8332", show_default=True, help="The node's JSON-RPC."),
        click.option("--rpc-user", default="", help="Its user. The password comes by MIRROR_NODE_RPC_PASSWORD alone."),
        click.option("--rpc-cookie-file", default="", help="bitcoind's .cookie, in place of user and password."),
        click.option(
            "--mirror-dir",
            type=click.Path(path_type=Path),
            default=Path(".state/mirror"),
            show_default=True,
            help="Folder that the tap reads by dumps_url.",
        ),
        click.option(
            "--state-dir",
            type=click.Path(path_type=Path),
            default=Path(".state/mirror-node"),
            show_default=True,
            help="Folder of this program alone.",
        ),
        click.option(
            "--parallel-requests",
            type=click.IntRange(1, 64),
            default=os.cpu_count() or 1,
            help="Workers, each with one request at a time.  [default: processors]",
        ),
        click.option("--finality", type=click.IntRange(0), default=None, help="Blocks that may still be replaced."),
        click.option(
            "--commit-blocks", type=click.IntRange(1), default=500, show_default=True, help="Blocks in a commit."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _settings(given: dict[str, object]) -> Settings:
    chain, finality = str(given["chain"]), given["finality"]
    where = login(
        str(given["rpc_url"]), str(given["rpc_user"]), os.environ.get(_variable("rpc_password"), ""),
        str(given["rpc_cookie_file"]),
    )  # fmt: skip
    return Settings(
        chain,
        where,
        Path(str(given["mirror_dir"])),
        Path(str(given["state_dir"])),
        int(str(given["parallel_requests"])),
        CHAINS[chain].finality if finality is None else int(str(finality)),
        int(str(given["commit_blocks"])),
    )


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": _PREFIX, "show_default": False},
    epilog="Example: mirror-node status --chain bitcoin",
)
def group() -> None:
    """Write the blocks of your own full node as daily dump files.

    The files have the form of Blockchair's. Each block is verified before it is written.
    """


def _shared(command: click.Command) -> click.Command:
    # `MIRROR_NODE_CHAIN`, not `MIRROR_NODE_RUN_CHAIN`: a setting is the same for all commands.
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in {"as_json", "first", "last", "poll_seconds"}:
            parameter.envvar = _variable(parameter.name or "")
    return command


@click.command(epilog="Example: mirror-node run --chain bitcoin --from 2024-01-01 --to 2024-01-31")
@settings_options
@click.option("--from", "first", type=_Day(), default=None, help="First day; else that of the first block.")
@click.option("--to", "last", type=_Day(), default=None, help="Last day; else the last one that is final.")
def run(first: date | None, last: date | None, **given: object) -> None:
    """Mirror up to a day, or up to the last final block, then end.

    The next call goes on where this one stopped.
    """
    settings = _settings(given)
    with _opened(settings, first, last) as mirror:
        if not mirror.run() and last is not None:
            _say(f"{settings.chain}: the node has not yet a final block behind {last}; run again later")


@click.command(epilog="Example: mirror-node follow --chain bitcoin")
@settings_options
@click.option("--from", "first", type=_Day(), default=None, help="First day; else that of the first block.")
@click.option(
    "--poll-seconds", type=click.FloatRange(0.05), default=30.0, show_default=True, help="Wait between two looks."
)
def follow(first: date | None, poll_seconds: float, **given: object) -> None:
    """Mirror what is there, then what comes, until a signal ends it."""
    settings = _settings(given)
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    with _opened(settings, first, None) as mirror:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        while not ended.is_set():
            mirror.run()
            ended.wait(poll_seconds)


class _opened:  # noqa: N801 (used as a function)
    """A mirror with all that it needs, held for this process alone."""

    def __init__(self, settings: Settings, first: date | None, last: date | None) -> None:
        self._settings, self._first, self._last = settings, first, last
        self._open = ExitStack()

    def __enter__(self) -> Mirror:
        settings, chain = self._settings, CHAINS[self._settings.chain]
        with self._open as opened:
            lock = held(settings.folder / "lock")
            opened.callback(lock.release)
            adapter = open_adapter(settings.where, settings.chain)
            store = opened.enter_context(Store(settings.folder / "mirror.sqlite"))
            files = DayFiles(chain, settings.folder / "days", settings.mirror_dir)
            workers = opened.enter_context(Workers(settings.where, settings.chain, settings.parallel_requests))
            plan = Plan(self._first, self._last, settings.finality, settings.commit_blocks)
            progress = Progress(settings.chain, _say)
            mirror = Mirror(chain, adapter, workers, store, files, plan, report=progress, say=_say)
            mirror.recover()
            self._open = opened.pop_all()
            return mirror

    def __exit__(self, *_: object) -> None:
        self._open.close()


@dataclass(frozen=True)
class _Status:
    chain: str
    last_block: int | None
    last_hash: str | None
    published_days: int
    first_published: str | None
    last_published: str | None
    node_block: int | None
    node: str | None
    final_block: int | None
    blocks_left: int | None


@click.command(epilog="Example: mirror-node status --json")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(*, as_json: bool, **given: object) -> None:
    """Say how far the mirror and the node are."""
    settings = _settings(given)
    path = settings.folder / "mirror.sqlite"
    last, days = None, []
    if path.exists():
        with Store(path) as store:
            last, days = store.last(), store.days(published=True)
    fault, tip = "", None
    try:
        tip = open_adapter(settings.where, settings.chain).tip()
    except MirrorError as error:
        fault = str(error)
    final = None if tip is None else max(-1, tip.height - settings.finality)
    found = _Status(
        settings.chain,
        last.height if last else None,
        last.hash if last else None,
        len(days),
        days[0].isoformat() if days else None,
        days[-1].isoformat() if days else None,
        tip.height if tip else None,
        tip.origin if tip else None,
        final,
        None if final is None else max(0, final - (last.height if last else -1)),
    )
    if as_json:
        click.echo(json.dumps(asdict(found)))
    else:
        click.echo(
            "\n".join(
                f"{name.replace('_', ' ')}: {'-' if value is None else value}" for name, value in asdict(found).items()
            )
        )
    if fault:
        click.echo(f"error: {fault}", err=True)
        sys.exit(1)


for _command in (run, follow, status):
    group.add_command(_shared(_command))
