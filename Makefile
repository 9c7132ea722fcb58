# A fresh machine needs python3 (>= 3.11) with pip, and make. Nothing else.

PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
PIP := $(PYTHON) -m pip --python $(BIN)/python --disable-pip-version-check
INSTALL := $(PIP) install -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: demo test test-slow lint help

demo: .venv/.demo ## set up, then run the main job on real handwritten digits
	$(BIN)/diabolo demo

test: lint ## set up, then check style and types and run the fast tests
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) -m "not slow"

test-slow: .venv/.test ## the tests that take minutes, in one process
	$(BIN)/python -m pytest -m slow

lint: .venv/.test ## style (ruff) and types (mypy) only
	$(BIN)/ruff check .
	$(BIN)/mypy

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamps make a second call instant; pip runs again only when what is required changes.
.venv/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) torch
	$(INSTALL) -e '.[demo]'
	@touch $@

.venv/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) torch
	$(INSTALL) -e '.[demo,test]'
	@touch .venv/.demo $@

# Some systems ship python3 without ensurepip: there the environment is made without pip, and the
# pip outside installs into it.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Diabolo needs Python 3.11 or newer, and '$(PYTHON)' was not found."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Diabolo needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1)."; \
	  echo "If a newer one is installed, name it: make PYTHON=python3.12 demo"; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { \
	  echo "Diabolo needs pip for '$(PYTHON)'; on Debian and Ubuntu: apt install python3-pip"; exit 1; }
	$(PYTHON) -m venv .venv >/dev/null 2>&1 || $(PYTHON) -m venv --without-pip .venv
