"""The administrator and the pools, written in one process of Airflow: `python -m airflow_ext.administration`.

Airflow's own commands would take the password as an argument, where every user of the machine sees it, and ten
seconds each.
"""

from __future__ import annotations

import json
import os
import sys

USER, PASSWORD, POOLS = "AIRFLOW_EXT_ADMIN_USER", "AIRFLOW_EXT_ADMIN_PASSWORD", "AIRFLOW_EXT_POOLS"


def ensure_admin(name: str, password: str) -> str:
    """Make the administrator, or set its password again; returns what was done."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import (  # noqa: PLC0415 - takes seconds
        get_application_builder,
    )

    with get_application_builder() as builder:
        security = builder.sm
        user = security.find_user(username=name)
        if user is None:
            role = security.find_role("Admin")
            if not security.add_user(name, "Airflow", "Administrator", f"{name}@localhost.invalid", role, password):
                sys.exit(f"The user {name} could not be made; see the lines above.")
            return f"made the user {name}"
        security.reset_password(user.id, password)
        return f"the user {name} is right"


def ensure_pools(pools: dict[str, int]) -> str:
    """Make the pools, or set their slots; returns what was done."""
    from airflow.models.pool import Pool  # noqa: PLC0415 - takes seconds

    for name, slots in pools.items():
        Pool.create_or_update_pool(name, slots, "By the setting `pools` of airflow in Meltano.", include_deferred=False)
    return f"pools: {', '.join(f'{name} {slots}' for name, slots in pools.items()) or 'none'}"


if __name__ == "__main__":
    print(ensure_admin(os.environ[USER], os.environ[PASSWORD]))  # noqa: T201 - read by the extension
    print(ensure_pools(json.loads(os.environ[POOLS])))  # noqa: T201
