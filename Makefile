# Each command first makes what it needs (.venv), once, and again when pyproject.toml
# changes. ARGS goes to the tool: make test ARGS="-k filters".

BIN := .venv/bin
PYTHON := $(BIN)/python
READY := .venv/.ready

.PHONY: help demo test check bench snapshots format clean
.DEFAULT_GOAL := help

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## serve the bookcase on 127.0.0.1 (PORT, 8000 else)
	@$(PYTHON) -m examples.bookcase $(ARGS)

# Compiled once, whatever the environment says, and not in each of a thousand processes.
test: export PYTHONDONTWRITEBYTECODE =
test: export PYTHONPYCACHEPREFIX = $(CURDIR)/.pytest_cache/bytecode
test: $(READY) ## run all tests, on every processor
	$(PYTHON) -m pytest --numprocesses logical --dist worksteal $(ARGS)

check: $(READY) ## formatting, lint, types and layers
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(BIN)/lint-imports --no-logo

bench: $(READY) ## compare with a hand-written FastAPI application
	@$(PYTHON) -m benchmarks $(ARGS)

snapshots: $(READY) ## write openapi-snapshots/ anew, to be read in the diff
	UPDATE_SNAPSHOTS=1 $(PYTHON) -m pytest --quiet tests/openapi/test_snapshots.py

format: $(READY) ## format the code and mend what lint can mend
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

clean: ## remove what the other commands made
	rm -rf .venv .tools .demo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	rm -rf .hypothesis tests/npm/node_modules

$(READY): pyproject.toml scripts/bootstrap
	@scripts/bootstrap
	@touch $@
