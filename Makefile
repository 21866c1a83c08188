# Two commands on a fresh machine with Python 3.11+, git and make: `make demo` and `make test`. Both can be run again.
# VENV names another environment; PIP_ARGS is passed on to pip.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP_ARGS ?=
export ORT_DISABLE_TELEMETRY := 1
# The onnxruntime and torch of this project never need a hub at test time; say so to the libraries.
export HF_HUB_OFFLINE := 1

.PHONY: demo test check docs bench clean

demo: $(VENV)/.installed
	@BIN=$(BIN) bash examples/demo.sh

test: $(VENV)/.installed
	$(BIN)/python -m pytest

check: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@test -z "$$(find tests -name __init__.py)" || { echo "tests/ must hold no __init__.py"; exit 1; }

# Every generated page; tests/architecture/test_docs.py compares them. docs/make_kit.py needs BRISC 2025 and stays out.
docs: $(VENV)/.installed
	$(BIN)/python docs/make_cli_docs.py
	$(BIN)/python docs/make_benchmarks.py
	$(BIN)/python docs/make_results.py
	$(BIN)/python docs/make_robustness.py
	$(BIN)/python docs/make_trust.py

# Beside every peer, on an otherwise idle machine: the first time an hour, later minutes. DATA_ARGS names the data set.
DATA_ARGS ?=
MODEL ?= cvt13
bench: $(VENV)/.installed
	$(BIN)/brain-bench peers install
	$(BIN)/brain-bench run --model $(MODEL) $(DATA_ARGS) --prepare-only
	$(BIN)/brain-bench run --model $(MODEL) $(DATA_ARGS)

# Made again when the dependencies change.
$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) --quiet --disable-pip-version-check -e '.[cpu,export,dev]'
	touch $@

clean:
	rm -rf $(VENV) bundles runs/demo
