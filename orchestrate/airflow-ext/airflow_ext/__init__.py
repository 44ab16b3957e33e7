"""Airflow 3 as a Meltano utility."""
