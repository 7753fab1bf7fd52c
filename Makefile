# make demo   install, then profile a real request with no cluster
# make test   everything CI checks: lint, floors, types, tests on a real control plane (built once with Go, cached)
# make unit   the tests that need no control plane
# make lint   ruff, import-linter, mypy
# make experts         write docs/experts.md: the search against Dynamo's public recipes
# make bench-profiler  time and memory of whole runs; UPSTREAM=/path/to/python times NVIDIA's profiler beside it
# make manifests       hold the webhook's manifests to Kubernetes' schemas and to checkov (300 MB in the user's cache)
# make bench-webhook   the webhook against a Go peer, and what it adds to a write; needs wrk
# make faults-webhook  stops, certificate swaps, takeovers and hostile clients under load
# make accuracy        docs/accuracy.md anew: the estimator against measured rows that it was not fitted to
# make fit             profiler/data/coefficients.json anew, from the same rows
# make bench-estimate  speed and memory of the estimator against its limits
# make bench           all three benchmarks: estimator, profiler, webhook
# make clean  remove what the others made here

# The first Python that is new enough; `make PYTHON=...` chooses another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test
FIT_STAMP := $(VENV)/.installed-fit
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DEMO := dynamo profile -f manifests/examples/llama-chat.yaml --gpu h200_sxm --gpus 16

.PHONY: demo test lint unit bench experts bench-profiler manifests bench-webhook faults-webhook clean fit accuracy bench-estimate

demo: $(STAMP)
	@if command -v kubectl >/dev/null; then \
		echo '$$ kubectl $(DEMO)'; PATH="$(CURDIR)/$(BIN):$$PATH" kubectl $(DEMO); \
	else \
		echo '$$ kubectl-$(DEMO)'; $(BIN)/kubectl-$(DEMO); \
	fi

test: lint
	@$(BIN)/python -m tests.cluster.build
	$(BIN)/pytest -n 2
	@echo 'make test: lint, floors, types and tests passed'

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

unit: $(TEST_STAMP)
	$(BIN)/pytest -m 'not cluster' -n auto

$(STAMP): setup.cfg pyproject.toml
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed and none was found; make PYTHON=/path/to/python' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo '$(PYTHON) is older than Python 3.11; make PYTHON=/path/to/python' >&2; exit 1; }
	@echo 'installing into $(VENV)'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

$(TEST_STAMP): $(STAMP)
	@echo 'installing what the tests need into $(VENV)'
	@$(PIP) --editable '.[test]'
	@touch $@

experts: $(STAMP)
	$(BIN)/python -m benchmarks.profiler.experts

bench:
	@$(MAKE) --no-print-directory --keep-going bench-estimate bench-profiler bench-webhook

bench-profiler: $(STAMP)
	$(BIN)/python -m benchmarks.profiler.rapid $(if $(UPSTREAM),--upstream $(UPSTREAM))

manifests: $(STAMP)
	scripts/check_manifests.sh $(BIN)/python

bench-webhook: $(TEST_STAMP)
	@$(BIN)/python -m tests.cluster.build
	$(BIN)/python -m benchmarks.webhook.bench
	$(BIN)/python -m benchmarks.webhook.through

faults-webhook: $(TEST_STAMP)
	$(BIN)/python -m benchmarks.webhook.faults

bench-estimate: $(STAMP)
	$(BIN)/python -m benchmarks.estimate

# The measured rows are downloaded once into build/fit; both take about two minutes on two cores. What single
# operations reach comes first: the fit to end-to-end rows starts from it.
fit accuracy: $(FIT_STAMP)
	$(if $(filter fit,$@),OPENBLAS_NUM_THREADS=1 $(BIN)/python -m scripts.fit.operations)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m scripts.fit $@

$(FIT_STAMP): $(STAMP)
	@echo 'installing what fitting needs into $(VENV)'
	@$(PIP) --editable '.[fit]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info demo-output
