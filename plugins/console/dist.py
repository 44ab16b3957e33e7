#!/usr/bin/env python3
"""Build the packages that stand alone: a wheel and a source archive of each, checked, in dist/.

.venv-dev/bin/python plugins/console/dist.py           # write VERSION into every package, build, check
.venv-dev/bin/python plugins/console/dist.py --check   # only say where a package has another version
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "extract/mirror-node",
    "extract/tap-blockchair",
    "extract/tap-coingecko",
    "load/target-postgres",
    "orchestrate/airflow-ext",
)
_VERSION = re.compile(r'^version = "(.*)"$', re.MULTILINE)


def version() -> str:
    """The version of the whole project; it stands in the file VERSION and nowhere else by hand."""
    return (PROJECT / "VERSION").read_text().strip()


def others() -> list[Path]:
    """The pyproject.toml of each package that states another version than VERSION."""
    return [
        path for path in sorted(PROJECT.glob("*/*/pyproject.toml")) if _VERSION.findall(path.read_text()) != [version()]
    ]


def build(folder: Path) -> None:
    """Build every package into a folder and let twine check what a package index would refuse.

    Raises:
        subprocess.CalledProcessError: A package cannot be built, or twine refuses it; the lines above say why.
    """
    shutil.rmtree(folder, ignore_errors=True)
    tools = Path(sys.executable).parent
    for package in PACKAGES:
        subprocess.run([tools / "uv", "build", "--quiet", "--out-dir", folder, PROJECT / package], check=True)
    (folder / ".gitignore").unlink(missing_ok=True)
    subprocess.run([tools / "twine", "check", "--strict", *sorted(folder.iterdir())], check=True)


def main(arguments: list[str]) -> int:
    """Stamp, build and check; with `--check` only compare versions."""
    if arguments == ["--check"]:
        for path in others():
            print(f"error: {path.relative_to(PROJECT)} is not of version {version()}: run `make dist`", file=sys.stderr)
        return 1 if others() else 0
    for path in others():
        path.write_text(_VERSION.sub(f'version = "{version()}"', path.read_text(), count=1))
    try:
        build(PROJECT / "dist")
    except subprocess.CalledProcessError as error:
        print(f"error: `{' '.join(map(str, error.cmd[:3]))}` ended with {error.returncode}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
