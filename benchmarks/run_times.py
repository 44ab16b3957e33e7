"""How long `make run` takes: in a fresh clone with an empty package cache, and again.

    python3 benchmarks/run_times.py [--folder DIR]

Standard library only, because it measures what a machine needs that has nothing. Run it as the user to measure for.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def timed(root: Path, environ: dict[str, str], *command: str) -> float:
    """Seconds that a command takes; it must succeed."""
    started = time.monotonic()
    done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=False)
    took = time.monotonic() - started
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return took


def main() -> None:
    """Clone, measure, print one table, clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")
    folder = Path(tempfile.mkdtemp(prefix="crypto-elt-", dir=parser.parse_args().folder))
    root = folder / "clone"
    environ = os.environ | {"UV_CACHE_DIR": str(folder / "uv"), "PIP_CACHE_DIR": str(folder / "pip")}
    make = ("make", f"PYTHON={sys.executable}")
    try:
        subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(root)], check=True)
        rows = [
            ("cold run: fresh clone, empty package cache", timed(root, environ, *make, "run")),
            ("second run: nothing new", timed(root, environ, *make, "run")),
        ]
        timed(root, environ, "sh", "-c", ". .venv/bin/activate && simulator advance 1")
        rows.append(("a day later: one day new", timed(root, environ, *make, "run")))
    finally:
        subprocess.run([*make, "stop"], cwd=root, env=environ, capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)
    user = "root" if os.geteuid() == 0 else "a plain user"
    print(f"make run as {user}, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for name, seconds in rows:
        print(f"  {name:45} {seconds:6.1f} s")


if __name__ == "__main__":
    main()
