# The commands of the project. `make run` needs Python 3.11 or later and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Everything is installed when this file is newer than what it is made from.
INSTALLED := $(VENV)/installed

.PHONY: run test torture fuzz agree check audit demo bench load lock

run: $(INSTALLED)
	@exec $(BIN)/caseledger serve

# Two workers a core, since many tests wait for processes; whoever has nothing left takes tests from the others.
# Each worker, and each of the commands that tests start, reads what the first of them compiled.
test torture fuzz agree: export PYTHONDONTWRITEBYTECODE :=
test: $(INSTALLED)
	$(BIN)/pytest -q -n $$($(BIN)/python -c 'import os; print(2 * os.cpu_count())') --dist worksteal

# Every write step killed before and after, then random faults: TORTURE_SECONDS of them (600), as TORTURE_SEED draws them.
torture: $(INSTALLED)
	$(BIN)/pytest -q -m torture

# Strangers who send anything, in every role, to a running server: FUZZ_CASES requests (50000), as FUZZ_SEED draws them.
fuzz: $(INSTALLED)
	FUZZ_CASES=$(or $(FUZZ_CASES),50000) $(BIN)/pytest -q -m fuzz

# The program against the model that was written from the rulebook alone, on EXAMPLES drawn histories a question (500).
agree: $(INSTALLED)
	CASELEDGER_EXAMPLES=$(or $(EXAMPLES),500) $(BIN)/pytest -q -n auto --dist worksteal $(shell grep -rl CASELEDGER_EXAMPLES tests)

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Are there known holes in what is pinned? It asks an advisory service, and says so where none answers.
audit: $(INSTALLED)
	@$(BIN)/python tests/auditing.py

demo: $(INSTALLED)
	@$(BIN)/caseledger demo

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

# A mixed load for LOAD_SECONDS (300), then PostgreSQL killed under it; exit 1 where a request, a record or memory is lost.
load: $(INSTALLED)
	$(BIN)/python -m benchmarks.mixed

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; $(PYTHON) is none: install it, or give its path: make PYTHON=…" >&2; exit 1; }
	@echo "Installing into $(VENV), once" >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Versions and hashes of all that is installed, of the tools of the build and of the tests too; no address of an index.
lock:
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip install --quiet --disable-pip-version-check pip-tools
	$(VENV)/lock/bin/pip-compile --quiet --generate-hashes --all-extras --strip-extras --allow-unsafe \
		--build-deps-for wheel --build-deps-for editable --no-header --no-annotate --no-emit-options \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml
