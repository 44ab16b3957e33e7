"""The DAG `backfill`: a range of days of chosen chains and tables, in parallel, then one build."""  # noqa: INP001

from airflow_ext.backfill import backfill_dag

dag = backfill_dag()
