"""The DAGs of Meltano's schedules and jobs, made by airflow_ext out of the compiled project."""  # noqa: INP001

from airflow_ext.builder import build

globals().update(build())
