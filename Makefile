# Everything a person runs here. `make` alone lists it.

PY := .venv/bin/python
STEP := deploy/dev/step
RUNTIME := .venv/runtime.stamp
DEV := .venv/dev.stamp
PYPROJECTS := pyproject.toml $(wildcard shared/*/pyproject.toml services/*/pyproject.toml deploy/*/pyproject.toml)
SOURCES := $(wildcard shared/*/src services/*/src deploy/*/src)
T ?= shared services deploy tests

# The suite takes what it needs from its own packages, never from whatever a shell had set.
unexport PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help demo up test check bench fmt golden lock setup clean

help:
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@ / {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	  /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo

##@ Use it
demo: $(RUNTIME) ## start the suite, publish an example plan and follow what happens
	@.venv/bin/indigo demo

up: $(RUNTIME) ## start the suite and keep it running until Ctrl-C
	@.venv/bin/indigo up

##@ Change it
test: $(DEV) ## run the tests; T=path runs those of a path
	@$(PY) -m pytest -n 2 --dist loadfile $(T) --ignore=tests/bench

check: $(DEV) ## format, lint, types, imports, generated files, lock files
	@ok=0; \
	$(STEP) "Format (ruff format)" .venv/bin/ruff format --check . || ok=1; \
	$(STEP) "Lint (ruff check)" .venv/bin/ruff check . || ok=1; \
	$(STEP) "Types (mypy --strict)" env MYPYPATH=$(subst $() ,:,$(SOURCES)) .venv/bin/mypy --strict $(SOURCES) || ok=1; \
	$(STEP) "Rooms (import-linter)" .venv/bin/lint-imports --no-logo || ok=1; \
	$(STEP) "Generated files (else: make golden)" $(PY) -m indigo_suite.golden --check || ok=1; \
	$(STEP) "Files and locks (tests/checks)" $(PY) -m pytest tests/checks || ok=1; \
	exit $$ok

fmt: $(DEV) ## format the code and repair what can be repaired
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

golden: $(DEV) ## write the generated files again: schemas, tables, API descriptions
	@$(PY) -m indigo_suite.golden

bench: $(DEV) ## measure
	@$(PY) tests/bench/run.py

##@ Keep it
setup: $(DEV) ## make .venv with everything for development

lock: $(DEV) ## resolve the dependencies anew into the two lock files
	@$(STEP) "Lock files" deploy/dev/lock

clean: ## remove .venv and every cache; data of `make up` stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): requirements.lock $(PYPROJECTS)
	@deploy/dev/setup-venv runtime

$(DEV): requirements-dev.lock $(PYPROJECTS)
	@deploy/dev/setup-venv dev
