# Thin on purpose: each line is a command a person could type.
PYTHON ?= python3
BIN := .venv/bin
DEV := .venv-dev/bin
# The real Compose, with no engine; the package's Python wrapper would exit 0 on an invalid file.
# A pattern for the shell: `make lint` may be what installs it.
COMPOSE = .venv-compose/lib/python3*/site-packages/compose/docker-compose

.DEFAULT_GOAL := help
.PHONY: help run dashboard test test-all kills mutations lint lint-sql lint-python lint-files bench bench-run bench-tap bench-marts bench-day bench-backfill docs dist doctor env stop clean pins

# A target's group stands before its text: `## group: text`.
help:  ## start: Show this list.
	@for group in start live look check develop; do \
	  echo "$$group" | sed -e 's/start/Try it on this machine/' -e 's/live/Run it on live data/' \
	    -e 's/look/Look at the data and at how it is documented/' -e 's/check/See what is wrong, and stop/' \
	    -e 's/develop/Change it, test it, measure it/'; \
	  grep -hE "^[a-z-]+: .*## $$group: " $(MAKEFILE_LIST) \
	    | sed -E "s/^([a-z-]+):.*## $$group: */  make \\1\t/" | expand -t 18; \
	done

run:  ## start: Install everything, start an embedded PostgreSQL, fill it from simulated sources.
	@$(PYTHON) plugins/console/bootstrap.py
	@$(BIN)/crypto-elt run

dashboard:  ## look: Serve pages over the marts, and print their address.
	@$(PYTHON) plugins/console/bootstrap.py
	@$(BIN)/meltano invoke dashboard:serve

test:  ## develop: Lint, every test but the long ones, and one part of these (PART, else by the commit).
	@$(PYTHON) tests/run_tests.py $(if $(PART),--part=$(PART))

test-all:  ## develop: Lint and every test, on every interpreter.
	@$(PYTHON) tests/run_tests.py --all

kills:  ## develop: Kill the loader fifty times at random on each PostgreSQL (about ten minutes).
	@$(PYTHON) plugins/console/bootstrap.py --dev
	KILLS=50 $(DEV)/pytest load/target-postgres/tests/test_kill.py

mutations:  ## develop: Change more than two hundred single cells of raw data; the checks find each (about ten minutes).
	@$(PYTHON) plugins/console/bootstrap.py --dev
	MUTATIONS=200 $(DEV)/pytest tests/test_mutations.py

lint:  ## develop: ruff, mypy, sqlfluff, yamllint, English of the pages, hadolint, Compose's own check.
	@$(PYTHON) plugins/console/bootstrap.py --dev
	@$(MAKE) --no-print-directory --jobs=2 --output-sync lint-sql lint-python lint-files

lint-sql:
	cd transform && ../$(DEV)/sqlfluff lint --processes 2 .

lint-python:
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy

lint-files:
	$(DEV)/python transform/bi_models.py --check
	$(DEV)/python transform/data_dictionary.py --check
	$(DEV)/yamllint --strict .
	$(DEV)/python plugins/console/dist.py --check
	@# the data dictionary is written from the marts' descriptions
	$(DEV)/pymarkdown --config .pymarkdown.json scan --recurse --exclude docs/reference/data-dictionary.md \
		docs README.md CONTRIBUTING.md CHANGELOG.md analyze/*/README.md extract/*/README.md load/*/README.md \
		orchestrate/*/README.md plugins/*/README.md transform/README.md
	.venv-compose/bin/hadolint Dockerfile
	@env $$(sed -nE 's/^([A-Z_]+)=$$/\1=anything/p' .env.example) $(COMPOSE) --profile '*' config --quiet
	@env $$(sed -nE 's/^([A-Z_]+)=$$/\1=anything/p' .env.example) \
		$(COMPOSE) -f plugins/warehouse/serving.compose.yaml config --quiet
	@MIRROR_NODE_RPC_PASSWORD=anything $(COMPOSE) -f extract/mirror-node/nodes.compose.yaml --profile '*' config --quiet

bench:  ## develop: Measure the loader against others and plain psql; BENCH=--quick for a short run.
	@$(PYTHON) plugins/console/bootstrap.py
	@$(BIN)/python benchmarks/bench_loader.py $(BENCH)

# Also measured: a cold and a repeated `make run`, and the tap alone.
bench-run:
	@$(PYTHON) benchmarks/run_times.py

bench-tap:
	@$(PYTHON) plugins/console/bootstrap.py --dev
	$(DEV)/python benchmarks/tap_blockchair.py $(BENCH)

# What the marts cost on 5 million rows: about half an hour. BENCH=--keep leaves the warehouse for benchmarks/questions.py.
bench-marts:
	@$(PYTHON) benchmarks/marts.py $(BENCH)

# What a day of real size costs, model by model: half an hour and 40 GB for BENCH="--shape small --days 3".
bench-day:
	@$(PYTHON) benchmarks/day.py $(BENCH)

# A backfill on two Celery workers against one slot: about a quarter of an hour, needs redis-server.
bench-backfill:
	@$(PYTHON) plugins/console/bootstrap.py --dev
	$(DEV)/python benchmarks/backfill.py $(BENCH)

doctor:  ## check: Say what is wrong on this machine and what to do.
	@$(PYTHON) plugins/console/bootstrap.py
	@$(BIN)/crypto-elt doctor

env:  ## live: Install the project's environment and write .env for live data.
	@$(PYTHON) plugins/console/bootstrap.py
	@$(BIN)/crypto-elt env

stop:  ## check: Stop what `make run` started.
	@$(PYTHON) plugins/console/bootstrap.py
	@$(BIN)/crypto-elt stop

clean:  ## check: Stop everything, then delete all that was installed and loaded (.env stays).
	@if [ -x $(BIN)/crypto-elt ]; then $(BIN)/crypto-elt stop; fi
	rm -rf .venv .venv-dev .venv-compose .venv-docs benchmarks/.venvs .meltano .state .tox transform/target transform/logs

docs:  ## look: Build the documentation's site into build/site; a dead link fails it.
	@$(PYTHON) plugins/console/bootstrap.py --dev
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet
	@echo "built build/site; $(PYTHON) -m http.server --bind 127.0.0.1 --directory build/site 57483 shows it"

dist:  ## develop: Build the packages that stand alone into dist/, of the version in VERSION, and check them.
	@$(PYTHON) plugins/console/bootstrap.py --dev
	@$(DEV)/python plugins/console/dist.py

pins:  ## develop: Compile the pinned requirements of every environment.
	@$(PYTHON) plugins/console/bootstrap.py
	@sh requirements/compile.sh
