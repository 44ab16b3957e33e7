"""Runs `meltano` for a person: installs plugins, follows the log, and says in a sentence why it failed."""

import hashlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import set_key

from console.errors import ConsoleError
from console.log import LogLine, dbt_failure, progress_words, reason
from console.ownership import RUN_ID_VARIABLE
from console.project import Project

PLUGINS = ("tap-coingecko", "tap-blockchair", "target-postgres", "dbt-postgres")
BLOCKS = ("tap-coingecko", "target-postgres", "tap-blockchair", "target-postgres", "dbt-postgres:build")

_PATIENCE_SECONDS = 15
# The loader has put a bookmark right that counted more than the warehouse holds; once for each of the two taps.
_RUN_AGAIN = "run the same command again"
_MOST_REPEATS = 2
# The second is the loader's setting, so that its ledger names the run.
_RUN_ID_VARIABLES = (RUN_ID_VARIABLE, "TARGET_POSTGRES_RUN_ID")
_PLUGIN_FILES = (
    "extract/extractors.meltano.yml",
    "load/loaders.meltano.yml",
    "transform/utilities.meltano.yml",
    "requirements/tap-blockchair.txt",
    "requirements/tap-coingecko.txt",
    "requirements/target-postgres.txt",
    "requirements/dbt-postgres.txt",
    "extract/tap-blockchair/pyproject.toml",
    "extract/tap-coingecko/pyproject.toml",
    "load/target-postgres/pyproject.toml",
)


def plugins_fingerprint(project: Project) -> str:
    """Hash what the plugins are installed from."""
    digest = hashlib.sha256(str(project.root).encode())
    for name in _PLUGIN_FILES:
        digest.update((project.root / name).read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Meltano:
    """Meltano as one run uses it."""

    project: Project
    environ: Mapping[str, str]
    run_id: str

    def install_plugins(self) -> bool:
        """Install the plugins of a run; returns whether anything had to be installed.

        Raises:
            ConsoleError: The package index could not serve them, or another cause that the log names.
        """
        stamp = self.project.root / ".meltano" / "crypto-elt-plugins.stamp"
        wanted = plugins_fingerprint(self.project)
        if stamp.is_file() and stamp.read_text() == wanted:
            return False
        log = self.project.run_state / "install.log"
        code, lines = self._call(["install", *PLUGINS], log, lambda *_: None)
        if code != 0:
            raise ConsoleError(
                f"the plugins could not be installed: {reason(lines)} "
                f"(whole log: {log.relative_to(self.project.root)}); if the package index is "
                "out of reach, check the network or name your own in UV_DEFAULT_INDEX, then run again."
            )
        stamp.write_text(wanted)
        return True

    def migrate(self, *, progress: Callable[[str, bool], None]) -> bool:
        """Bring a warehouse that an older release has filled to this one; returns whether there was anything to do.

        Raises:
            ConsoleError: It failed; its reason is in the sentence, everything in the log it names.
        """
        log = self.project.run_state / "migrate.log"
        words = [self.project.program("warehouse"), "migrate", "--env-file", str(local_env_file(self.project))]
        code, lines = self._follow(words, log, progress)
        if code != 0:
            why = (dbt_failure(lines) or reason(lines)).removeprefix("Error: ")
            raise ConsoleError(
                f"an older release has filled the warehouse, and it could not be brought to this one: {why}\n"
                f"No raw row is lost; mend the cause and run again (whole log: {log.relative_to(self.project.root)})."
            )
        return not any("nothing to do" in line.text for line in lines)

    def run_pipeline(self, *, force: bool, progress: Callable[[str, bool], None]) -> None:
        """Run extract, load and transform in the environment `local`.

        Raises:
            ConsoleError: A part failed; its reason is in the sentence, everything in the log it names.
        """
        log = self.project.run_state / "pipeline.log"
        arguments = ["run", "--no-install", *(["--force"] if force else []), *BLOCKS]
        code, lines = self._call(arguments, log, progress)
        for _ in range(_MOST_REPEATS):
            if code == 0 or _RUN_AGAIN not in reason(lines):
                break
            progress("reading what the bookmarks count and the warehouse lacks", True)
            code, lines = self._call(arguments, log, progress)
        if code != 0:
            raise ConsoleError(
                f"the pipeline stopped: {reason(lines)}\n"
                "Rows and bookmarks of what was loaded before are kept; mend the cause and run again "
                f"(whole log: {log.relative_to(self.project.root)})."
            )

    def _call(
        self, arguments: list[str], log: Path, progress: Callable[[str, bool], None]
    ) -> tuple[int, list[LogLine]]:
        env_file = str(local_env_file(self.project))
        words = [self.project.program("meltano"), "--env-file", env_file, "--log-format", "json", *arguments]
        return self._follow(words, log, progress)

    def _follow(
        self, command: list[str], log: Path, progress: Callable[[str, bool], None]
    ) -> tuple[int, list[LogLine]]:
        """Run a program in a process group of its own, because ending it takes a signal to all of the group."""
        lines: list[LogLine] = []
        child = subprocess.Popen(
            command,
            cwd=self.project.root,
            env={**self.environ, **dict.fromkeys(_RUN_ID_VARIABLES, self.run_id), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        try:
            with log.open("w", buffering=1) as sink:
                for line in child.stdout or ():
                    said = LogLine.read(line)
                    sink.write(f"{said}\n")
                    lines.append(said)
                    if words := progress_words(said):
                        progress(*words)
            return child.wait(), lines
        finally:
            if child.poll() is None:
                _end_group(child)
            if child.stdout:
                child.stdout.close()


def local_env_file(project: Project) -> Path:
    """Write the variables a local run may see, so that Meltano never reads the user's .env."""
    path = project.run_state / "local.env"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    for name, value in project.local_variables().items():
        set_key(path, name, value)
    return path


def _end_group(child: "subprocess.Popen[str]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(timeout=_PATIENCE_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
