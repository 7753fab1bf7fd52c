# make demo   install, then profile a real request with no cluster
# make test   everything CI checks: lint, types, floors, tests on a real control plane (built once, cached)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test

.PHONY: demo test lint unit clean

$(STAMP): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(TEST_STAMP): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

unit: $(TEST_STAMP)
	$(BIN)/pytest -m 'not cluster' -n auto

test: lint
	$(BIN)/python -m tests.cluster.build
	$(BIN)/pytest -n 2

clean:
	rm -rf $(VENV) build *.egg-info demo-output
