# Needs make and Python 3.11 or newer; everything else goes into .venv, which can be deleted at any time.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
TOO_OLD := tdvc needs Python 3.11 or newer, this is %s. Try: make PYTHON=python3.12 $(MAKECMDGOALS)

.NOTPARALLEL:
.PHONY: demo test lint types docs bench torture
demo: $(VENV)/installed
	rm -rf demo
	$(RUN) tdvc demo demo

test: $(VENV)/installed-dev
	$(RUN) pytest -n auto --maxprocesses 8

torture: $(VENV)/installed-dev
	TDVC_TORTURE=1 TDVC_FUZZ_EXAMPLES=1000 $(RUN) pytest -n auto --maxprocesses 8 tests/crash tests/test_kill.py tests/test_concurrency.py tests/test_fuzz.py

lint: $(VENV)/installed-dev
	$(RUN) ruff check
	$(RUN) ruff format --check

types: $(VENV)/installed-dev
	$(RUN) mypy

docs: $(VENV)/installed-dev
	$(VENV)/bin/python docs/generate.py

bench: $(VENV)/installed
	$(VENV)/bin/python benchmarks/compare.py

$(VENV)/installed: EXTRA :=
$(VENV)/installed-dev: EXTRA := [dev,readers]
$(VENV)/installed $(VENV)/installed-dev: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit("$(TOO_OLD)" % sys.version.split()[0] if v < (3, 11) else 0)'
	@$(RUN) pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check --editable '.$(EXTRA)'
	@touch $@
