#!/usr/bin/env python3
"""Make the project's own environments on a machine that has only Python and a package index.

Standard library only, and careful to parse on old interpreters: the wrong one must get a sentence, not a syntax error.

    python3 plugins/console/bootstrap.py         # .venv: meltano, warehouse, simulator, crypto-elt
    python3 plugins/console/bootstrap.py --dev   # .venv-dev, .venv-compose, .venv-docs as well: linters, tests, site
"""

from __future__ import print_function

import hashlib
import os
import shutil
import subprocess
import sys
import time

OLDEST, NEWEST = (3, 11), (3, 13)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UV_PINS = "requirements/bootstrap.txt"
ENVIRONMENTS = {
    ".venv": ("requirements/project.txt", ["plugins/console", "plugins/simulator", "plugins/warehouse"]),
    ".venv-dev": (
        "requirements/dev.txt",
        [
            "analyze/dashboard",
            "analyze/powerbi-project",
            "extract/mirror-node",
            "extract/tap-blockchair",
            "extract/tap-coingecko",
            "load/target-postgres",
            "orchestrate/airflow-ext",
            "plugins/console",
            "plugins/simulator",
            "plugins/warehouse",
        ],
    ),
    ".venv-compose": ("requirements/compose.txt", []),
    ".venv-docs": ("requirements/docs.txt", []),
}


def fail(sentence):
    """Print one sentence and leave with status 1."""
    print("error: " + sentence, file=sys.stderr)
    sys.exit(1)


def suitable(version):
    """Say whether `version` (major, minor) is one this project supports."""
    return OLDEST <= tuple(version[:2]) <= NEWEST


def use_suitable_interpreter():
    """Carry on under a supported interpreter: this one, else one found on PATH."""
    if suitable(sys.version_info):
        return
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        candidate = "python3.%d" % minor
        probe = [candidate, "-c", "import sys; print(sys.version_info[1])"]
        try:
            found = subprocess.check_output(probe, stderr=subprocess.STDOUT).decode().strip()
        except (OSError, subprocess.CalledProcessError):
            continue
        if found == str(minor):
            os.execvp(candidate, [candidate] + sys.argv)
    fail(
        "this is Python %d.%d and no Python %d.%d to %d.%d is on PATH; install one of them, "
        "or name it: make PYTHON=/path/to/python3.11 run" % (tuple(sys.version_info[:2]) + OLDEST + NEWEST)
    )


def leave_own_environment():
    """Carry on under the interpreter that an environment of this project was made from: it may be deleted here."""
    inside = os.path.abspath(sys.prefix).startswith(ROOT + os.sep)
    base = getattr(sys, "_base_executable", None)
    if inside and base and os.path.abspath(base) != os.path.abspath(sys.executable):
        os.execv(base, [base] + sys.argv)


def fingerprint(requirements, packages):
    """Hash what an environment is made from, so that an unchanged one is left alone."""
    digest = hashlib.sha256(repr((sys.version_info[:3], os.path.realpath(sys.executable), ROOT)).encode())
    for name in [UV_PINS, requirements] + [package + "/pyproject.toml" for package in packages]:
        with open(os.path.join(ROOT, name), "rb") as handle:
            digest.update(handle.read())
    return digest.hexdigest()


def index_from_pip(python):
    """Return the index that pip is configured to use, because uv does not read pip's files."""
    if os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL"):
        return {}
    if os.environ.get("PIP_INDEX_URL"):
        return {"UV_DEFAULT_INDEX": os.environ["PIP_INDEX_URL"]}
    probe = subprocess.run(
        [python, "-m", "pip", "config", "get", "global.index-url"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    url = probe.stdout.decode().strip()
    return {"UV_DEFAULT_INDEX": url} if probe.returncode == 0 and url else {}


def run(command, environ, failure):
    """Run `command`; when it fails, show its last words and then one sentence."""
    done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.stderr.write("\n".join(done.stdout.decode(errors="replace").strip().splitlines()[-6:]) + "\n")
        fail(failure)


def make(name, say):
    """Make or refresh one environment of ENVIRONMENTS."""
    requirements, packages = ENVIRONMENTS[name]
    folder = os.path.join(ROOT, name)
    python = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
    stamp = os.path.join(folder, "crypto-elt.stamp")
    wanted = fingerprint(requirements, packages)
    if os.path.exists(stamp) and os.path.exists(python):
        with open(stamp) as handle:
            if handle.read() == wanted:
                return
    started = time.time()
    say("installing the environment %s ..." % name)
    environ = {
        key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH")
    }
    environ["UV_PYTHON_DOWNLOADS"] = "never"
    shutil.rmtree(folder, ignore_errors=True)
    run(
        [sys.executable, "-m", "venv", folder],
        environ,
        "%s could not make a virtual environment; on Debian and Ubuntu install the package python3-venv"
        % sys.executable,
    )
    unreachable = (
        "the package index could not serve what %s needs; check the network, or name your own index in PIP_INDEX_URL, "
        "and run the command again (nothing half-installed is kept)" % name
    )
    run([python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", UV_PINS], environ, unreachable)
    environ.update(index_from_pip(python))
    uv = os.path.join(os.path.dirname(python), "uv")
    install = [uv, "pip", "install", "--quiet", "--python", python]
    run(install + ["--require-hashes", "-r", requirements], environ, unreachable)
    editable = [word for package in packages for word in ("-e", package)]
    if editable:
        run(install + ["--no-deps"] + editable, environ, unreachable)
    with open(stamp, "w") as handle:
        handle.write(wanted)
    say("installed the environment %s in %.0f s" % (name, time.time() - started))


def close_to_others(name):
    """Make a folder in which passwords will lie, closed to other users from the start."""
    folder = os.path.join(ROOT, name)
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o700)


def main(arguments):
    """Make the environments that `arguments` name."""
    unknown = [word for word in arguments if word != "--dev"]
    if unknown:
        fail("unknown argument %s; usage: bootstrap.py [--dev]" % unknown[0])
    use_suitable_interpreter()
    leave_own_environment()
    close_to_others(".meltano")
    for name in ENVIRONMENTS if "--dev" in arguments else [".venv"]:
        make(name, lambda text: print(text, flush=True))


if __name__ == "__main__":
    main(sys.argv[1:])
