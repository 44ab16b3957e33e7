"""Run the target with ``python -m target_postgres_copy``."""

from target_postgres_copy.target import TargetPostgresCopy

TargetPostgresCopy.cli()
