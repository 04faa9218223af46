# Everything on one machine. Paths are relative and tools run as `python -m`, so that a space in the path is harmless.

SHELL := /bin/sh
PYTHON ?= python3
VENV_PYTHON := .venv/bin/python
TEST_WORKERS ?= 2
# Tests that make many thousands of examples when they have time.
SOAKED := $(addprefix tests/usage/test_,exactness.py aggregations.py quantities.py any_input.py) tests/simulation

.DEFAULT_GOAL := help
.PHONY: help venv run test lint format bench soak shell reset requirements

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

venv: ## create or refresh .venv
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { echo "Countinghouse needs Python 3.11 or newer; no $(PYTHON) was found." >&2; exit 1; }
	@"$(PYTHON)" -m config.local.bootstrap

run: venv ## start everything: PostgreSQL, broker, web, worker, beat and a filled demo
	@exec $(VENV_PYTHON) -m config.local run

test: venv ## the whole test suite, on an embedded PostgreSQL of its own (ARGS="-k name" to choose)
	@$(VENV_PYTHON) -m pytest -n $(TEST_WORKERS) $(ARGS)

lint: venv ## style, types, layers and missing migrations
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy
	$(VENV_PYTHON) -c 'from importlinter.cli import lint_imports_command as lint; lint()'
	$(VENV_PYTHON) manage.py makemigrations --check --dry-run

format: venv ## mend what the formatter and the linter can mend
	$(VENV_PYTHON) -m ruff check --fix-only .
	$(VENV_PYTHON) -m ruff format .

bench: venv ## measure ingestion beside a raw COPY, usage queries, the price preview and closing (ARGS="--stored 300000" is quicker)
	@$(VENV_PYTHON) -m tests.bench $(ARGS)

soak: venv ## a quarter of an hour at full rate: memory, latency and totals (ARGS="--minutes 60"), then any history of events and years of billing
	@$(VENV_PYTHON) -m tests.bench.soak $(ARGS)
	@HYPOTHESIS_PROFILE=soak $(VENV_PYTHON) -m pytest -n $(TEST_WORKERS) $(SOAKED)

shell: venv ## Django's shell on the local database
	@$(VENV_PYTHON) -m config.local shell

reset: ## throw away the local databases, logs and keys
	@"$(PYTHON)" -m config.local reset

requirements: venv ## compile the locked requirements again after a change of the .in files
	@$(VENV_PYTHON) -m venv .local/uv
	@.local/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	@cd requirements && for set in base dev production; do \
		../.local/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --only-binary :all: \
			--no-emit-index-url --custom-compile-command "make requirements" $$set.in -o $$set.txt || exit 1; \
	done
