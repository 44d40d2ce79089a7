# The two commands that do all the set-up: `make up` (the platform, running) and `make test` (all that needs no platform).
.DEFAULT_GOAL := help
SHELL := /bin/bash
STACK ?= dev
export STACK
PYTHON ?= python3
RUN := .venv/bin/python
SETUP := $(RUN) -m operations.setup

.PHONY: help up down destroy preview test lint unit dags e2e bench chaos lock pr plan scan images

help: ## what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## (.*)/make \1|\2/' | column -t -s'|'

.venv/.ready: requirements.txt requirements-dev.txt images/ingestion/requirements.txt images/ml/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed: make PYTHON=python3.11 …" >&2; exit 1; }
	@mkdir -p .logs
	@echo "making .venv (log: .logs/venv.log)"
	@{ $(PYTHON) -m venv .venv && .venv/bin/pip install -r requirements-dev.txt; } > .logs/venv.log 2>&1 \
	  || { tail -15 .logs/venv.log >&2; echo "error: .venv could not be made; read .logs/venv.log. On Debian, python3-venv must be installed; PIP_INDEX_URL names another package index." >&2; exit 1; }
	@touch $@

# Airflow's pins and ours do not go together, so its DAGs are tested in an environment of their own, that of their image.
.venv-airflow/.ready: requirements-airflow.txt images/airflow/requirements.txt
	@mkdir -p .logs
	@echo "making .venv-airflow (log: .logs/venv-airflow.log)"
	@{ $(PYTHON) -m venv .venv-airflow && .venv-airflow/bin/pip install -r requirements-airflow.txt; } > .logs/venv-airflow.log 2>&1 \
	  || { tail -15 .logs/venv-airflow.log >&2; echo "error: .venv-airflow could not be made; read .logs/venv-airflow.log. PIP_INDEX_URL names another package index." >&2; exit 1; }
	@touch $@

up: .venv/.ready ## set up whatever is missing and start the platform
	@$(SETUP) up

down: .venv/.ready ## stop the platform; all data stays
	@./pipeline all stop --stack $(STACK)

destroy: .venv/.ready ## remove the platform with all its data (asks first)
	@if [ "$(YES)" != 1 ]; then read -r -p "Remove the stack $(STACK) with all its data? Type its name: " answer; [ "$$answer" = "$(STACK)" ] || { echo "nothing was removed"; exit 1; }; fi
	@$(SETUP) destroy

preview: .venv/.ready ## what an update would change, checked by the policies
	@$(SETUP) preview

tools: .venv/.ready
	@$(SETUP) tools

lint: .venv/.ready
	@.venv/bin/ruff check .
	@.venv/bin/mypy

test: tools lint dags ## lint, types, units, DAGs, policies, previews, images and plugins: all that needs no running platform
	@.venv/bin/pytest -n auto --dist loadfile tests/unit
	@$(RUN) -m tests.images.building
	@.venv/bin/pytest -n 3 --dist loadfile tests/policies tests/preview tests/images tests/providers

unit: .venv/.ready
	@.venv/bin/pytest -n auto --dist loadfile tests/unit

dags: .venv-airflow/.ready ## the DAGs, as Airflow reads them
	@.venv-airflow/bin/pytest tests/dags

e2e: tools ## the platform end to end, in a stack of its own; also OBSERVABILITY=1 that layer, DAGS=1 every DAG, COMMANDS=1 every command
	@.venv/bin/pytest tests/e2e $(if $(DAGS),--dags) $(if $(COMMANDS),--commands) $(if $(OBSERVABILITY),--observability)

bench: tools ## measure, and write docs/benchmarks.md
	@$(RUN) -m tests.bench

SEEDS ?= 1 2 3
FAULTS ?= 20
LAYERS ?= infrastructure storage ingestion processing
chaos: tools ## faults while events flow, and docs/chaos.md; needs root; SEEDS="1 2 3" FAULTS=20 (in all), LAYERS="…" of its stack
	@$(RUN) -m tests.chaos --seeds $(SEEDS) --faults $(FAULTS) --layers $(LAYERS)

plan: tools ## what a change does to dev and prod, checked by the policies (BASE=main: compared with)
	@$(RUN) -m operations.pr plan $(or $(BASE),main)

scan: .venv/.ready ## workflows, secrets in the history, known vulnerabilities
	@$(RUN) -m operations.pr scan

images: tools ## build every image whose content changed
	@$(RUN) -m operations.pr images

pr: scan test plan images ## what a pull request is checked with, but for `make e2e`

lock: .venv/.ready ## resolve pulled images to digests (needs the registries)
	@$(RUN) -m operations.lock
