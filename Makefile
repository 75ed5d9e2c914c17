# Each target sets up what it needs: a virtual environment in .venv with every version pinned in constraints.txt.
# pip's own settings (index, wheel folders, proxies) are honoured as they are.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
# onnxruntime and onnxruntime-gpu share a folder and cannot live together: a machine takes one
RUNTIME := $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) ($(RUNTIME)); the first time takes a few minutes"
	@$(PIP) install -q "$$(grep '^torch==' constraints.txt)"
	@$(PIP) install -q --no-deps "$$(grep '^torchvision==' constraints.txt)"
	@$(PIP) install -q -e ".[$(RUNTIME),postgres,redis,test]" -c constraints.txt
	@touch $@

demo: $(STAMP)  ## the main job, both domains, on generated data
	@$(BIN)/assay demo

test: $(STAMP)  ## checks, then the tests; SLOW=1: those of more than ten seconds too
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest $(if $(SLOW),,-m "not slow")

check: $(STAMP)  ## ruff, mypy strict, direction of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check -q . && $(BIN)/mypy && $(BIN)/lint-imports

bench: $(STAMP)  ## speed and quality beside the peers
	@$(PIP) install -q --no-deps --upgrade --target $(VENV)/peers -r tests/benchmarks/peers.txt
	@PYTHONPATH=$(VENV)/peers $(BIN)/python -m pytest tests/benchmarks -m bench -s --timeout 3600

clean:  ## remove the environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
