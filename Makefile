# make demo    the example site on SQLite, with real data: sets up, shows each validator, serves
# make test    the tests on every pair of Python and Django found here; SERVICES=1 with real servers
# make bench   the benchmarks, into benchmarks/RESULTS.md
# make check   ruff, mypy, import-linter, and the documentation
# make docs    the documentation, into site/
# make django-suite   Django's own tests of conditional requests, with our decorators

PYTHON ?= python3
SERVICES ?=
ARGS ?=

DEMO := .venvs/demo
CHECK := .venvs/check
SCRIPTS := scripts/services scripts/test scripts/django-suite
PIP := bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test bench check django-suite docs clean

demo: $(DEMO)/.stamp
	$(DEMO)/bin/python examples/colours/demo.py $(ARGS)

test:
	$(PYTHON) scripts/test $(if $(SERVICES),--services) $(ARGS)

bench: $(CHECK)/.stamp
	$(PYTHON) scripts/services start postgresql mariadb redis memcached
	eval "$$($(PYTHON) scripts/services env)"; $(CHECK)/$(PIP) -e . --group services --group test && \
	$(CHECK)/bin/python -m benchmarks

check: $(CHECK)/.stamp
	$(CHECK)/bin/ruff check . $(SCRIPTS)
	$(CHECK)/bin/ruff format --check . $(SCRIPTS)
	$(CHECK)/bin/mypy
	PYTHONPATH=src $(CHECK)/bin/lint-imports --no-cache > $(CHECK)/imports.txt || (cat $(CHECK)/imports.txt; false)
	$(CHECK)/bin/mkdocs build --strict --quiet

django-suite: $(CHECK)/.stamp
	$(CHECK)/bin/python scripts/django-suite

docs: $(CHECK)/.stamp
	$(CHECK)/bin/mkdocs build --strict

clean:
	rm -rf .venvs .demo site build

$(DEMO)/.stamp: pyproject.toml
	$(PYTHON) -m venv --clear $(DEMO)
	$(DEMO)/$(PIP) --upgrade pip
	$(DEMO)/$(PIP) -e . --group demo
	touch $@

$(CHECK)/.stamp: pyproject.toml
	$(PYTHON) -m venv --clear $(CHECK)
	$(CHECK)/$(PIP) --upgrade pip
	$(CHECK)/$(PIP) -e . --group check --group test
	touch $@
