"""The services of docker-compose.yaml as processes of this machine, with no engine; the image is a checkout."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checkout import PROJECT
from compose import unprivileged
from waiting import wait_for

SERVERS = {
    "postgres_app_db": "WAREHOUSE_PORT",
    "postgres_airflow_meta": "AIRFLOW_DB_PORT",
    "redis": "REDIS_PORT",
}
SIMULATOR_PORT = "57481"
AIRFLOW_PORT = "57480"
PARTS = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-worker")


@dataclass
class Deployment:
    """The services of docker-compose.yaml as processes of this machine.

    Attributes:
        services: As Compose resolved them; those named other-... are of a second machine, with a volume of its own.
        folder: Stands for the containers' own files: each service has its volumes and memory disks in here.
        image: The checkout that stands for /opt/crypto-elt, and for the operator's, whose meltano.yml is mounted.
        simulator: The port that stands for the simulator's.
        airflow: The port that stands for that of Airflow's API server.
        programs: Where PostgreSQL's programs are.
    """

    services: dict[str, dict[str, Any]]
    folder: Path
    image: Path
    simulator: str
    airflow: str
    programs: Path
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def translate(self, text: str, name: str) -> str:
        """Say here what the service says in its container."""
        for service in self.services:
            text = re.sub(rf"(?:(?<=@)|(?<=//)){service}(?=[:/])", "127.0.0.1", text)
        text = text.replace("0.0.0.0", "127.0.0.1").replace(SIMULATOR_PORT, self.simulator)  # noqa: S104
        text = text.replace(AIRFLOW_PORT, self.airflow)
        folders = {"/opt/crypto-elt": self.root, "/project": self.project}
        text = re.sub("|".join(folders), lambda found: str(folders[found[0]](name)), text)
        text = text.replace("/run/redis", f"{self.folder}/{name}-run")
        return text.replace("/data", f"{self.folder}/{name}-data") if name == "redis" else text

    def environ(self, name: str) -> dict[str, str]:
        """The variables of a service, with those that the Dockerfile sets for ours."""
        given = self.services[name].get("environment", {})
        said = {
            key: "127.0.0.1" if value in self.services else self.translate(str(value), name)
            for key, value in given.items()
            if value is not None
        }
        path = f"{self.image}/.venv/bin:{self.programs}:{os.environ['PATH']}"
        if "build" not in self.services[name]:
            return {"PATH": path, **said}
        last_stage = (PROJECT / "Dockerfile").read_text().split("\nFROM ")[-1].replace("\\\n", " ")
        image = {key: self.translate(value, name) for key, value in re.findall(r"\b([A-Z_]+)=(\S+)", last_stage)}
        return {**image, "PATH": path, **said}

    def project(self, name: str) -> Path:
        """What stands for the volume at /project of a service of ours."""
        machine = "simulator-" if name == "simulator" else "other-" if name.startswith("other-") else ""
        return self.folder / f"{machine}project"

    def root(self, name: str) -> Path:
        """What stands for /opt/crypto-elt in a service of ours: the image, with links as the Dockerfile makes them."""
        project = self.project(name)
        root = project.with_name(f"{project.name}-root")
        if not root.exists():
            shutil.copytree(self.image, root, symlinks=True, ignore=shutil.ignore_patterns(".*", "meltano.yml"))
            for folder in (root / "checkout", project / ".state", project / ".meltano"):
                folder.mkdir(parents=True)
            (root / ".venv").symlink_to(self.image / ".venv")
            (root / ".state").symlink_to(project / ".state")
            for kind in ("extractors", "loaders", "utilities"):
                (project / ".meltano" / kind).symlink_to(self.image / ".meltano" / kind)
            (root / "meltano.yml").symlink_to("checkout/meltano.yml")
            self.mount_checkout()
        return root

    def mount_checkout(self) -> None:
        """Show meltano.yml of the operator's checkout, as it is now, in the containers of every machine."""
        for folder in self.folder.glob("*project-root/checkout"):
            shutil.copyfile(self.image / "meltano.yml", folder / "meltano.yml")

    def words(self, name: str, command: list[str]) -> list[str]:
        """A command of a service, as it is run here."""
        if command[0] == "CMD-SHELL":
            command = ["sh", "-c", command[1]]
        return [self.translate(word, name) for word in command if word != "CMD"]

    def command(self, name: str) -> list[str]:
        """The command of a service."""
        said = self.words(name, self.services[name]["command"])
        if said[0] == "postgres":
            data = self.folder / f"{name}-data"
            return [
                *unprivileged(),
                *said,
                "-D",
                str(data),
                "-clisten_addresses=127.0.0.1",
                "-cunix_socket_directories=",
            ]
        return said

    def start(self, name: str) -> None:
        """Start a service and wait until its own health check is content."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                self.command(name), env=self.environ(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, process_group=0,
            )  # fmt: skip

        def is_healthy() -> bool:
            assert self.running[name].poll() is None, (self.folder / f"{name}.log").read_text()
            return self.health(name) == 0

        wait_for(is_healthy, f"{name} is healthy")

    def health(self, name: str) -> int:
        """Run the health check of a service."""
        check = self.words(name, self.services[name]["healthcheck"]["test"])
        return subprocess.run(check, env=self.environ(name), capture_output=True, check=False, timeout=300).returncode

    def once(self, name: str) -> "subprocess.CompletedProcess[str]":
        """Run a service that ends by itself."""
        return self.run(name, *self.command(name))

    def run(self, name: str, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command with the variables of a service, as `docker compose exec` does."""
        folder = self.root(name) if "build" in self.services[name] else self.folder
        return subprocess.run(
            command, env=self.environ(name), capture_output=True, text=True, check=False, timeout=600,
            stdin=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip

    def stop(self, name: str) -> int:
        """Stop a service as Docker does, and say with which status it ended."""
        process = self.running.pop(name)
        process.terminate()
        return process.wait(timeout=300)
