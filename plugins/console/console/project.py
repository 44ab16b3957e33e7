"""Where things of the project are, and which variables a local run may see."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from console.errors import ConsoleError

# Names that could point a run at something live. `local` takes its addresses from LOCAL_* alone.
_REDIRECTING = re.compile(
    r"^(WAREHOUSE_|BLOCKCHAIR_|COINGECKO_|TARGET_POSTGRES_|DBT_|MELTANO_|PG"
    r"|TAP_\w+_(API_URL|DUMPS_URL|API_KEY|DUMPS_KEY|DATA_ORIGIN|PLAN)$)"
)


@dataclass(frozen=True)
class Project:
    """A checkout of this repository."""

    root: Path

    @classmethod
    def find(cls) -> "Project":
        """Find the checkout that holds the working directory, or the one that MELTANO_PROJECT_ROOT names.

        Raises:
            ConsoleError: There is no meltano.yml there or in any parent folder.
        """
        named = os.environ.get("MELTANO_PROJECT_ROOT")
        start = Path(named) if named else Path.cwd()
        for folder in (start, *start.resolve().parents):
            if (folder / "meltano.yml").is_file():
                return cls(folder.resolve())
        raise ConsoleError(f"{start} is not inside this project (no meltano.yml there or above); change into it first.")

    @property
    def env_file(self) -> Path:
        """The user's variables, git-ignored."""
        return self.root / ".env"

    @property
    def run_state(self) -> Path:
        """Lock, record and logs of `crypto-elt run`."""
        folder = self.root / ".state" / "run"
        for part in (folder.parent, folder):
            # Where it is there its mode is left alone: the warehouse may need it wider.
            part.mkdir(mode=0o700, exist_ok=True)
        return folder

    def program(self, name: str) -> str:
        """Path of a program in the project's own environment."""
        return str(self.root / ".venv" / ("Scripts" if os.name == "nt" else "bin") / name)

    def local_variables(self) -> dict[str, str]:
        """The LOCAL_* variables of .env, which `warehouse start` and `simulator start` write."""
        return {
            name: value
            for name, value in dotenv_values(self.env_file, interpolate=False).items()
            if name.startswith("LOCAL_") and value is not None
        }


def local_environ(project: Project, environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The environment of a local run, and the names left out because they could lead it to something live."""
    ignored = sorted(name for name in environ if _REDIRECTING.match(name) or name.startswith("LOCAL_"))
    kept = {name: value for name, value in environ.items() if name not in ignored}
    kept["MELTANO_PROJECT_ROOT"] = str(project.root)
    kept["MELTANO_ENVIRONMENT"] = "local"
    return kept, [name for name in ignored if not name.startswith(("MELTANO_", "LOCAL_"))]
