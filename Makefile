# One door for building, checking and trying mirror. `make` alone lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
PY := $(BIN)/python
NATIVE_SOURCES := $(shell find native -name '*.[ch]' -o -name '*.py' -o -name Makefile)
PYTEST_ARGS ?=
SEED ?=
CHECKS := check-ruff check-types check-layers check-c-format check-c check-shell check-console

# Tests of whole hosts mostly wait for each other, so the others run beside them; then the soak.
HOSTS := tests/lab tests/network
TESTS := $(if $(PYTEST_ARGS),test-chosen,test-hosts test-parts)

.PHONY: help setup native demo test $(TESTS) check $(CHECKS) fmt bench bench-full install modules sim search soak suites golden clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: .venv/set-up mirror/_native.abi3.so ## system packages, .venv, native extension
	@:

.venv/set-up: pyproject.toml setup.py .ci/setup webconsole/package-lock.json
	@flock pyproject.toml .ci/setup

# Built by the set-up too; this is for a change in native/ afterwards.
mirror/_native.abi3.so: $(NATIVE_SOURCES) | .venv/set-up
	@echo "native: building"
	@flock .venv/building $(PY) setup.py --quiet build_ext --inplace
	@touch $@

native: setup ## build the C code again, if it changed
	@:

demo: setup ## two hosts on this machine, a module protected on them
	@$(BIN)/mirror demo

test: setup check ## everything CI runs: check, every test, a short soak
	@$(MAKE) --no-print-directory --keep-going --jobs=2 $(TESTS) soak SEED=$(or $(SEED),11)

test-chosen:
	@$(BIN)/pytest $(PYTEST_ARGS)

test-hosts:
	@set -o pipefail; $(BIN)/pytest $(HOSTS) | sed -u 's/^/hosts: /'

test-parts:
	@set -o pipefail; $(BIN)/pytest $(addprefix --ignore=,$(HOSTS)) | sed -u 's/^/parts: /'

check: setup ## formats, types, layers, warnings
	@$(MAKE) --no-print-directory --keep-going --jobs=$$(nproc) --output-sync=target $(CHECKS)

check-ruff:
	@$(BIN)/ruff check --quiet --output-format concise . && $(BIN)/ruff format --check --quiet .

check-types:
	@$(BIN)/mypy --no-error-summary

check-layers:
	@out=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$out"; exit 1; }

check-c-format:
	@unformatted=$$(find native tests bench -name '*.[ch]' | while read -r file; do \
	    $(BIN)/clang-format --dry-run -Werror "$$file" 2>/dev/null || echo "$$file"; done); \
	if [ -n "$$unformatted" ]; then \
	    echo "not in the project's format (make fmt):" $$unformatted >&2; exit 1; fi

check-c:
	@$(MAKE) --no-print-directory --keep-going -C native analyze tidy

# What stands below tests/golden/config/published is written badly on purpose: as people paste it.
check-shell:
	@grep -rnIE -m1 --exclude-dir=published '^#!/bin/(ba)?sh' .ci modules mirror tests | sed -n 's/^\([^:]*\):1:.*/\1/p' | \
	    xargs shellcheck --external-sources --source-path=SCRIPTDIR

check-console:
	@webconsole/build check

fmt: setup ## rewrite Python and C in the project's format
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .
	@find native tests bench -name '*.[ch]' -print0 | xargs -0 -r $(BIN)/clang-format -i

bench: setup ## measure on this machine, minutes
	@$(PY) -m bench

bench-full: setup ## every measure at its full size, hours
	@$(PY) -m bench --full

install: ## on each server: into /opt/mirror, the command mirror, a service at boot
	@.ci/install

modules: setup ## package every directory of modules/ as NAME.safe, into build/modules
	@mkdir -p build/modules
	@for conf in modules/*/conf; do name=$$(basename $$(dirname $$conf)); \
	    $(PY) -c 'import sys; from pathlib import Path; from mirror.config.package import pack; \
	        pack(Path(sys.argv[1]), Path(sys.argv[2]))' modules/$$name build/modules/$$name.safe && \
	    echo build/modules/$$name.safe; done

sim: setup ## run the simulator: make sim SEED=123, or HOURS=100 of simulated time with JOBS=2
	@$(PY) -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(HOURS),--hours $(HOURS)) $(if $(JOBS),--jobs $(JOBS))

search: setup ## walk every state of the small world: two nodes, one witness
	@$(PY) -m tests.search

soak: setup ## two minutes of faults on real processes
	@$(PY) -m tests.soak $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

suites: setup ## file system suites of others, on a mount and beside it: make suites ONLY="acl stress"
	@$(PY) -m tests.suites $(ONLY)

golden: setup ## rewrite the generated files and transcripts; read the diff
	@$(PY) -m mirror.wire.generate
	@MIRROR_GOLDEN=write $(BIN)/pytest -q -m "not lab and not mount and not slow"

clean: ## remove what was built; keeps .venv
	@rm -rf build mirror/_native.abi3.so mirror/_vhost.abi3.so
