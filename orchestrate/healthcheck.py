"""Health of Airflow's parts, asked often: so it starts nothing and needs nothing but Python.

    python orchestrate/healthcheck.py api-server scheduler dag-processor
    python orchestrate/healthcheck.py worker

Scheduler and DAG processor are judged by the heartbeat that the API server sees; the address is that of
AIRFLOW_EXECUTION_API_URL, else http://127.0.0.1:57480. A worker is judged by its broker (AIRFLOW_CELERY_BROKER_URL)
and by its process, which names the project's AIRFLOW_HOME, since other projects may have workers on this machine.
"""

import json
import os
import socket
import sys
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

SECONDS = 8


def of_airflow(component: str) -> str:
    """Say what is wrong with a component that the API server knows; "" when nothing is."""
    address = urlsplit(os.environ.get("AIRFLOW_EXECUTION_API_URL") or "http://127.0.0.1:57480")
    url = f"{address.scheme}://{address.netloc}/api/v2/monitor/health"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 - an address of this deployment
            parts = json.load(answer)
    except (OSError, ValueError) as error:
        return f"{url} gives no answer: {error}"
    if component == "api-server":
        return ""
    status = parts.get(component.replace("-", "_"), {}).get("status")
    return "" if status == "healthy" else f"{component} is {status or 'unknown'} to the API server"


def of_worker() -> str:
    """Say what is wrong with the Celery worker of this container; "" when nothing is."""
    broker = urlsplit(os.environ.get("AIRFLOW_CELERY_BROKER_URL", ""))
    if broker.hostname is None:
        return "AIRFLOW_CELERY_BROKER_URL names no broker"
    words = [b"AUTH", unquote(broker.password or "").encode()] if broker.password else []
    try:
        with socket.create_connection((broker.hostname, broker.port or 6379), timeout=SECONDS) as connection:
            for command in (words, [b"PING"]):
                if command:
                    parts = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in command)
                    connection.sendall(b"*%d\r\n%s" % (len(command), parts))
                    answer = connection.recv(100)
                    if not answer.startswith(b"+"):
                        return f"the broker refuses {command[0].decode()}"
    except OSError as error:
        return f"the broker {broker.hostname} gives no answer: {error}"
    return "" if any(map(is_worker, Path("/proc").glob("[0-9]*/cmdline"))) else "no Celery worker runs here"


def is_worker(cmdline: Path) -> bool:
    """Whether a process is a Celery worker of this project, by its command line or the title that it gives itself."""
    try:
        said = cmdline.read_bytes().replace(b"\0", b" ")
    except OSError:
        return False
    home = os.environ.get("AIRFLOW_HOME") or f"{os.environ.get('MELTANO_PROJECT_ROOT', '.')}/.state/airflow"
    return b"celery worker " in said and f" {home}/".encode() in said


def main(components: list[str]) -> int:
    """Print what is wrong, one sentence for each component; 0 when nothing is."""
    known = {"worker": of_worker} | {
        name: (lambda name=name: of_airflow(name)) for name in ("api-server", "scheduler", "dag-processor", "triggerer")
    }
    wrong = [said for name in components if (said := known[name]() if name in known else f"{name} is no component")]
    print("\n".join(wrong) or "healthy")  # noqa: T201 - the check's answer
    return 1 if wrong or not components else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
