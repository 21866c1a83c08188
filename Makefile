# Two commands on a fresh machine with Python 3.11+, git and make: `make demo` and `make test`. Both can be run again.
# VENV names another environment; PIP_ARGS is passed on to pip.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP_ARGS ?=
export ORT_DISABLE_TELEMETRY := 1
# The onnxruntime and torch of this project never need a hub at test time; say so to the libraries.
export HF_HUB_OFFLINE := 1

.PHONY: demo test check docs bench campaigns kit reproducible lock clean

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
	$(BIN)/python docs/make_drift.py
	$(BIN)/python docs/make_reliability.py
	$(BIN)/python docs/make_results.py
	$(BIN)/python docs/make_robustness.py
	$(BIN)/python docs/make_scale.py
	$(BIN)/python docs/make_soup.py
	$(BIN)/python docs/make_trust.py

# Beside every peer, on an otherwise idle machine: the first time an hour, later minutes. DATA_ARGS names the data set.
DATA_ARGS ?=
MODEL ?= cvt13
bench: $(VENV)/.installed
	$(BIN)/brain-bench peers install
	$(BIN)/brain-bench run --model $(MODEL) $(DATA_ARGS) --prepare-only
	$(BIN)/brain-bench run --model $(MODEL) $(DATA_ARGS)

# Every promise attacked: a few minutes. SIZE=full takes days, goes on where it was stopped, and publishes to
# docs/reliability.json; CAMPAIGN="R4 R7" runs some of them.
SIZE ?= ci
CAMPAIGN ?=
campaigns: $(VENV)/.installed
	$(BIN)/python tests/campaigns/run.py $(CAMPAIGN) --size $(SIZE)

# A folder from which a workstation without a network installs; KIT_ARGS="--platform windows --extras cpu,dicom".
KIT_ARGS ?=
kit: $(VENV)/.installed
	$(BIN)/python .ci/supply/kit.py $(KIT_ARGS)

# Wheel and sdist, built twice: the same bytes, or exit status 1.
reproducible: $(VENV)/.installed
	$(BIN)/python .ci/supply/distributions.py --output dist --twice

# The versions and hashes that a kit installs.
lock: $(VENV)/.installed
	$(BIN)/python .ci/supply/lock.py

# Made again when the dependencies change.
$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) --quiet --disable-pip-version-check -e '.[cpu,export,dev]'
	touch $@

clean:
	rm -rf $(VENV) bundles runs/demo
