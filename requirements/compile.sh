#!/bin/sh
# Compile every environment's pins, with hashes and without naming an index. Words given are passed on to
# `uv pip compile`, such as --upgrade.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
pin() {
  out=$1
  shift
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links --output-file "requirements/$out.txt" "$@"
  echo "requirements/$out.txt"
}
pin bootstrap requirements/bootstrap.in "$@"
pin project --constraint requirements/bootstrap.in plugins/console/pyproject.toml plugins/simulator/pyproject.toml plugins/warehouse/pyproject.toml "$@"
pin mirror-node extract/mirror-node/pyproject.toml "$@"
pin tap-blockchair extract/tap-blockchair/pyproject.toml "$@"
pin tap-coingecko extract/tap-coingecko/pyproject.toml "$@"
pin target-postgres load/target-postgres/pyproject.toml "$@"
pin dbt-postgres requirements/dbt-postgres.in "$@"
pin metricflow --constraint requirements/dbt-postgres.txt requirements/metricflow.in "$@"
pin data-docs --no-deps requirements/data-docs.in "$@"
pin dashboard analyze/dashboard/pyproject.toml "$@"
pin powerbi-project analyze/powerbi-project/pyproject.toml "$@"
pin airflow orchestrate/airflow-ext/pyproject.toml "$@"
pin docs requirements/docs.in "$@"
pin compose requirements/compose.in "$@"
pin singer-tools requirements/singer-tools.in "$@"
pin singer-tools-build requirements/singer-tools-build.in "$@"
for one in stock pipelinewise dlt; do
  pin "../benchmarks/loader_speed/environments/$one" "benchmarks/loader_speed/environments/$one.in" "$@"
done
groups=
packages=
for package in analyze/*/pyproject.toml extract/*/pyproject.toml load/*/pyproject.toml orchestrate/*/pyproject.toml plugins/*/pyproject.toml; do
  packages="$packages $package"
  groups="$groups --group $package:test"
done
# shellcheck disable=SC2086
pin dev $groups requirements/dev.in $packages "$@"
