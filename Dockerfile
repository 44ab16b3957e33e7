# One image for every service of docker-compose.yaml that is ours. Base images are pinned by tag; for a build that can be
# repeated bit by bit, put the digest that your registry shows behind the tag.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1 UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1
WORKDIR /opt/crypto-elt
COPY . .
# The same commands as on a bare machine: everything comes as wheels, pinned by hashes in requirements/. Then what was
# made while installing goes, and what Python would compile at run time, where the folder is read-only, is compiled.
RUN python plugins/console/bootstrap.py \
    && .venv/bin/meltano install tap-coingecko tap-blockchair target-postgres dbt-postgres data-docs airflow dashboard \
    && rm -rf .meltano/meltano.db .meltano/analytics.json .meltano/run .meltano/logs .state \
    && .venv/bin/python -m compileall -q analyze extract load orchestrate plugins

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="crypto-elt" \
      org.opencontainers.image.description="Bitcoin, Ethereum and Dogecoin data from source to star schema, by Meltano and Airflow" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 crypto \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /project --shell /usr/sbin/nologin crypto \
    && install --directory --owner=10001 --group=10001 --mode=0700 /project /project/.meltano /project/.state
COPY --from=build /opt/crypto-elt /opt/crypto-elt
# The project is /opt/crypto-elt, read only. What it writes lies in /project, a volume. meltano.yml is read from the folder
# `checkout`, where docker-compose.yaml mounts the operator's own; without that mount it is the release's.
RUN ln -s /opt/crypto-elt/.meltano/extractors /opt/crypto-elt/.meltano/loaders /opt/crypto-elt/.meltano/utilities \
        /project/.meltano/ \
    && ln -s /project/.state /opt/crypto-elt/.state \
    && mkdir /opt/crypto-elt/checkout \
    && mv /opt/crypto-elt/meltano.yml /opt/crypto-elt/checkout/ \
    && ln -s checkout/meltano.yml /opt/crypto-elt/meltano.yml
# Plugins are installed already; Meltano 4.4 heeds --no-install alone, not the variable.
ENV PATH=/opt/crypto-elt/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 NO_COLOR=1 \
    HOME=/project/.state/home XDG_STATE_HOME=/project/.state/home/state \
    MELTANO_PROJECT_ROOT=/opt/crypto-elt MELTANO_SYS_DIR_ROOT=/project/.meltano \
    MELTANO_ENVIRONMENT=prod MELTANO_AUTO_INSTALL=false \
    DBT_TARGET_PATH=/project/.state/dbt/target DBT_LOG_PATH=/project/.state/dbt/logs
USER 10001:10001
WORKDIR /opt/crypto-elt
VOLUME /project
EXPOSE 57480 57482
STOPSIGNAL SIGTERM
# For a container that runs all of Airflow, as the command below does; docker-compose.yaml asks each service for its own.
HEALTHCHECK --interval=30s --timeout=10s --start-period=180s --retries=3 \
    CMD ["python", "/opt/crypto-elt/orchestrate/healthcheck.py", "api-server", "scheduler", "dag-processor"]
CMD ["meltano", "invoke", "--no-install", "airflow:up"]
