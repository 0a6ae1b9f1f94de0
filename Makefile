# Ragfleet. Two targets do everything on a fresh machine: `make run` and `make test`.

PYTHON ?= python3
PORT ?= 8080
MINUTES ?= 10
VENV := .venv
TORCH_VENV := .venv-torch
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
GO := $(shell command -v go 2>/dev/null)
EXTRAS := --extra evaluate --extra fastembed --extra openai --extra anthropic --extra qdrant
SOURCES := crds operator runtime cli tests bench examples

.DEFAULT_GOAL := help
.PHONY: help run test test-torch control-plane check format generate bench bench-operator bench-fleet chaos lock clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Start the quickstart, ingest its documents, ask a question, serve until Ctrl-C (ONCE=1: stop)
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python examples/quickstart/run.py --port $(PORT) $(if $(ONCE),--once)

test: $(VENV)/.dev check $(if $(GO),control-plane) ## Check, then run every test that this machine can run
	$(BIN)/pytest

test-torch: $(TORCH_VENV)/.dev ## Test sentence-transformers (installs PyTorch, several GB, into an environment of its own)
	$(TORCH_VENV)/bin/python -m pytest tests/torch

control-plane: ## Build the Kubernetes of the tests (needs Go; minutes, once for each state of tools/go.mod)
	@tools/build.sh .control-plane/bin

check: $(VENV)/.dev ## Lint, types and layers
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

generate: $(VENV)/.dev ## Write the files that are made from the models
	$(BIN)/python -m ragfleet_api.crd crds/ragpipelines.yaml

bench: $(VENV)/.dev ## Measure, and fail where a bar is missed
	PYTHONPATH=tests $(BIN)/python -m bench

bench-operator: $(VENV)/.dev control-plane ## Measure the operator with 200 and 1,000 pipelines, and fail where a bar is missed
	PYTHONPATH=tests $(BIN)/python -m bench.fleet

bench-fleet: $(VENV)/.dev control-plane ## Measure fleets of 100 to 10,000 pipelines (hours), and write the curve into docs/fleet.md
	PYTHONPATH=tests $(BIN)/python -m bench.fleet --curve 100,300,1000,3000,10000

chaos: $(VENV)/.dev control-plane ## Put faults between the operator and its API server for MINUTES, and fail on divergence
	PYTHONPATH=tests $(BIN)/python -m bench.chaos --minutes $(MINUTES)

lock: ## Renew the locked requirements (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--upgrade $(EXTRAS) --extra operator --group dev pyproject.toml -o requirements/dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		$(EXTRAS) --group build -c requirements/dev.txt pyproject.toml -o requirements/run.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra torch --group test-torch -c requirements/dev.txt pyproject.toml -o requirements/torch.txt

clean: ## Remove what make made, the quickstart's data included
	rm -rf $(VENV) $(TORCH_VENV) .control-plane .ragfleet .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache bench/out

# uv where it is present, venv and pip where it is not. Everything goes into environments here, by hashes.
.PRECIOUS: %/bin/python
%/bin/python:
ifdef UV
	uv venv --quiet --allow-existing --python '>=3.11' $*
else
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Ragfleet needs Python 3.11 or newer; set PYTHON, for example: make run PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $*
endif

define install
$(if $(UV),VIRTUAL_ENV=$(@D) uv pip install --quiet,$(@D)/bin/python -m pip install --quiet --disable-pip-version-check)
endef

# uv makes environments without pip; one that it made must still serve where uv is gone.
define install_locked
$(if $(UV),,@$(@D)/bin/python -m pip --version >/dev/null 2>&1 || $(@D)/bin/python -m ensurepip)
$(install) --require-hashes -r $<
$(install) --no-deps --no-build-isolation -e .
endef

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(install_locked)
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(install_locked)
	@touch $@ $(VENV)/.run

$(TORCH_VENV)/.dev: requirements/torch.txt pyproject.toml | $(TORCH_VENV)/bin/python
	$(install_locked)
	@touch $@
