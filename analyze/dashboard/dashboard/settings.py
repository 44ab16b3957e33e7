"""Settings, as Meltano passes them on: variables DASHBOARD_* (analyze/analyzers.meltano.yml)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dashboard.errors import DashboardError

LOOPBACK = "127.0.0.1"
PORT = 57482
_LARGEST_PORT = 65535
# What a warehouse of a local project is called by, and who reads it.
_READER = "bi_reader"


@dataclass(frozen=True)
class Settings:
    """Where to listen and what to read.

    Attributes:
        host: Address to listen on.
        port: Its port; 0 takes a free one.
        warehouse: Connection parameters of libpq.
    """

    host: str = LOOPBACK
    port: int = PORT
    warehouse: Mapping[str, str] = field(default_factory=dict)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read them from environment variables.

    Raises:
        DashboardError: The warehouse is not named, or the port is none.
    """

    def said(name: str, default: str = "") -> str:
        # Meltano passes a variable that nothing sets on as it is written in meltano.yml
        value = environ.get(f"DASHBOARD_{name}", "")
        return default if not value or value.startswith("${") else value

    host, database = said("WAREHOUSE_HOST"), said("WAREHOUSE_DATABASE")
    if not host or not database:
        raise DashboardError(
            "the dashboard does not know the warehouse: run `make run` once, which starts one and names it in .env,"
            " or set DASHBOARD_WAREHOUSE_HOST and DASHBOARD_WAREHOUSE_DATABASE."
        )
    port = said("PORT", str(PORT))
    if not port.isdecimal() or int(port) > _LARGEST_PORT:
        raise DashboardError(f"DASHBOARD_PORT is {port}: a port is a number from 0, which takes a free one, to 65535.")
    parameters = {
        "host": host,
        "port": said("WAREHOUSE_PORT", "5432"),
        "dbname": database,
        "user": said("WAREHOUSE_USER", _READER),
        "password": said("WAREHOUSE_PASSWORD"),
        "sslmode": said("WAREHOUSE_SSLMODE", "prefer"),
    }
    return Settings(said("HOST", LOOPBACK), int(port), parameters)
