# Everything starts here: `make demo` and `make test` need python3 >= 3.11 with pip, and make; nothing else.
# The virtual environment is made once; stamp files make the second run quick.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Words for pytest, e.g. make test PYTEST="-k gate tests/unit"
PYTEST ?=
# Words for the demonstration, e.g. make demo DEMO="--hours 0.2"
DEMO ?=

.DEFAULT_GOAL := help
.PHONY: help venv dev demo test lint bench lock clean

help:
	@echo "make demo    a rehearsed campaign from nothing to a report, in about two minutes"
	@echo "make test    style, types, room directions and every test (lab and PostgreSQL too, where they can run)"
	@echo "make lint    style, types and room directions alone"
	@echo "make bench   the quick benchmarks; those on the lab are named in docs/results.md"
	@echo "make lock    pin the dependencies again, with hashes"
	@echo "make clean   remove the virtual environment and every cache"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Cadencia needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv --without-pip $(VENV)

# The rooms are put on the path by one line in the environment, and the command is a script of one line: no build
# step, so nothing without a hash is ever fetched.
$(BIN)/cadencia: | $(BIN)/python
	@$(BIN)/python -c 'import pathlib, sysconfig; \
		pathlib.Path(sysconfig.get_path("purelib"), "cadencia.pth").write_text("$(CURDIR)\n")'
	@printf '#!/bin/sh\nexec "$$(dirname "$$(readlink -f "$$0")")/python" -P -m console.main "$$@"\n' > $@
	@chmod 755 $@

# $(call install,LOCK FILE): pip of the machine puts hashed packages into the environment.
define install
	@$(PYTHON) -m pip --python $(BIN)/python --version >/dev/null 2>&1 || { \
		echo "pip 22.3 or newer is needed; this is: $$($(PYTHON) -m pip --version 2>&1 | tail -1). Run: $(PYTHON) -m pip install --user --upgrade pip" >&2; exit 1; }
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --require-hashes -r $(1)
endef

$(VENV)/.installed: requirements.lock | $(BIN)/python $(BIN)/cadencia
	$(call install,requirements.lock)
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock | $(BIN)/python $(BIN)/cadencia
	$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/.installed

venv: $(VENV)/.installed

dev: $(VENV)/.installed-dev

demo: $(VENV)/.installed
	@$(BIN)/cadencia demo $(DEMO)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# By files on several cores: the lab's tests mostly wait.
test: lint
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(PYTEST)

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

lock: $(VENV)/.installed-dev
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra cluster --universal --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header -c requirements-dev.lock -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
