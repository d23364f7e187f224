# Everything a contributor runs. Needs Python 3.11 or newer and make; the rest comes into .venv.
#
#   make demo          a live cluster with real clients, and the console on it
#   make test          style, types, and every test that this machine can run
#   make quick         the same without the tests that take more than five seconds
#   make style types   the two halves of the static checks alone
#   make soak          runs SEEDS=1000 simulated clusters, from FIRST=0 on; SEED=n repeats one
#   make docs          writes the pages that are made from the source
#   make bench         measures; writes bench/RESULTS.md
#   make screenshots   draws the pictures of README and docs from a running demo
#   make tour          films the tour of the README: screenshots/tour.gif
#
# Choose an interpreter with `make PYTHON=/path/to/python3.12 ...`.

PYTHON ?=
# Tests of real processes wait half of their time: three workers keep two processors at work.
WORKERS ?= $(shell echo $$(($$(nproc) * 3 / 2)))
PYTEST_FLAGS ?=
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test quick style types soak docs bench screenshots tour clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.installed
	@$(BIN)/isinglass demo

# Tests of real processes share the processors with each other. What fails is run once more, alone:
# a fault fails again; what passes then is named by the first run's summary, and wants steadying.
# Workers run on beside a module that cannot be imported, so all are collected once before.
test: style types
	@$(BIN)/python -m pytest --collect-only -qq $(PYTEST_FLAGS) > $(VENV)/collected || \
	  { cat $(VENV)/collected; exit 2; }
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_FLAGS) || { test $$? = 1 && \
	  echo "running what failed once more, alone" && \
	  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(PYTEST_FLAGS); }

quick: style types
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" $(PYTEST_FLAGS)

style: $(VENV)/.installed-checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-checks
	$(BIN)/mypy
	MYPYPATH=bench $(BIN)/mypy bench

SEEDS ?= 1000
FIRST ?= 0
SEED ?=
soak: $(VENV)/.installed-checks
	cd tests && $(abspath $(BIN))/python -m simulator.run --seeds $(SEEDS) --first $(FIRST) $(SEED)

docs: $(VENV)/.installed-checks
	$(BIN)/python -m isinglass.settings > docs/settings.md
	$(BIN)/python -m isinglass.reference > docs/panels.md
	$(BIN)/python -m isinglass.machines docs/protocol.md
	$(BIN)/python -m isinglass_console.reference docs/console.md
	$(BIN)/python -m isinglass_console.manual docs/man

bench: $(VENV)/.installed-bench
	@missed=; for script in $$(grep -l __main__ bench/*.py); do \
	  echo "== $$script"; $(BIN)/python $$script --write || missed="$$missed $$script"; done; \
	  test -z "$$missed" || { echo "a goal is not met, or nothing could be measured:$$missed"; exit 1; }

screenshots: $(VENV)/.installed-screenshots
	$(BIN)/python screenshots/make.py

tour: $(VENV)/.installed-screenshots
	$(BIN)/python screenshots/tour.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# One stamp a set of packages: the demo does not wait for what only tests need. Each stamp is newer
# than pyproject.toml, so a changed dependency is installed by the next command that needs it.
INSTALL := $(BIN)/python -m pip --disable-pip-version-check --quiet install

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "installing isinglass into $(VENV)"
	@$(INSTALL) --editable . && touch $@

$(VENV)/.installed-checks: pyproject.toml $(VENV)/.installed
	@echo "installing what the tests need into $(VENV)"
	@$(INSTALL) "hatchling>=1.24" --editable '.[test,style]' && touch $@

$(VENV)/.installed-bench: pyproject.toml $(VENV)/.installed
	@$(INSTALL) --editable '.[bench]' && touch $@

$(VENV)/.installed-screenshots: pyproject.toml $(VENV)/.installed
	@$(INSTALL) --editable '.[screenshots]' && touch $@

$(VENV)/bin/python:
	@set -e; chosen=; bare=; \
	for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python python3.14; do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  if $$python -c 'import ensurepip, venv' 2>/dev/null; \
	  then chosen=$$python; break; else bare=$$python; fi; \
	done; \
	test -n "$$chosen$$bare" || { echo "isinglass needs Python 3.11 or newer; none is on the PATH:" \
	  "install one, or say where it is with make PYTHON=/path/to/python3" >&2; exit 1; }; \
	test -n "$$chosen" || { echo "$$bare cannot make a virtual environment because its ensurepip" \
	  "module is missing: install it (on Debian and Ubuntu: apt-get install python3-venv) and" \
	  "run make again" >&2; exit 1; }; \
	echo "making $(VENV) with $$($$chosen --version)"; \
	$$chosen -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
