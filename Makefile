# `make help` lists the commands. Each one first sets up whatever is missing.
.DEFAULT_GOAL := help
BIN := .venv/bin
# Two test workers, each with a Spark session of its own and programs that they start, fit into 8 GB.
WORKERS ?= 2
TESTS ?=
RECORDS ?= 1000000
PERSONS ?= 1000000
CUSTOMERS ?= 1000000
STREAM_PERSONS ?= 500000
SOURCE ?= folder
RATE ?= 500
MINUTES ?= 15
CODE := clvspark jobs tools tests bench

# The folders of CODE that exist: ruff refuses the others.
present = $(wildcard $(CODE))

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## set up whatever is missing: .venv, packages, Java, JARs (nothing to do: under a second)
	@PYTHON="$(PYTHON)" tools/setup/bootstrap.sh

.PHONY: demo
demo: setup ## run the whole pipeline on the demo data; the last line names the report page
	@$(BIN)/clvspark demo

.PHONY: test
test: setup ## run the tests (TESTS=path for some of them, WORKERS=n for more at once)
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) $(TESTS)

.PHONY: test-slow
test-slow: setup ## run the tests that take minutes: whole pipelines, a cluster, killed processes
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) -m "slow and not whole" $(TESTS)

.PHONY: test-demo
test-demo: setup ## hold the whole demo to its promises; alone on the machine, as seconds count
	@$(BIN)/python -m pytest --numprocesses 0 -m whole

.PHONY: picture
picture: setup ## render dashboards of the demo to docs/images (needs Chromium or Chrome)
	@$(BIN)/python tools/picture.py demo/report.html docs/images/report.png 1894
	@$(BIN)/python tools/picture.py demo/report/models.html docs/images/models.png 1401
	@$(BIN)/python tools/picture.py demo/report/campaigns.html docs/images/campaigns.png 1708
	@$(BIN)/python tools/picture.py demo/report/finance.html docs/images/finance.png 1513

.PHONY: bench-identity
bench-identity: setup ## identity resolution beside Splink and GoldenMatch (RECORDS=n; 1,000,000 take half an hour)
	@$(BIN)/python -m bench.identity.compare --records $(RECORDS)

.PHONY: bench-incremental
bench-incremental: setup ## adding 1 % to resolved records beside resolving them all (RECORDS=n)
	@$(BIN)/python -m bench.identity.incremental --records $(RECORDS)

.PHONY: bench-clv
bench-clv: setup ## lifetime value beside lifetimes and PyMC-Marketing (CUSTOMERS=n; 1,000,000 take a quarter of an hour)
	@$(BIN)/python -m bench.clv.compare --customers $(CUSTOMERS)

.PHONY: bench-clv-scale
bench-clv-scale: setup ## fit and score CUSTOMERS=10000000 alone: seconds and memory
	@$(BIN)/python -m bench.clv.compare --customers $(CUSTOMERS) --engines clvspark --models pareto_nbd

.PHONY: bench-audiences
bench-audiences: setup ## a hundred audiences at once, and again after a change of 1 % (PERSONS=n)
	@$(BIN)/python -m bench.audiences --persons $(PERSONS)

.PHONY: bench-history
bench-history: setup ## a day with 1 % new events beside building the whole history (PERSONS=n)
	@$(BIN)/python -m bench.history --persons $(PERSONS)

.PHONY: bench-decisions
bench-decisions: setup ## what learning decisions earn beside fixed, random and classic ones, in simulated markets (half a minute)
	@$(BIN)/python -m bench.decisions

.PHONY: bench-stream
bench-stream: setup ## from an event to the outbox: 500 events a second for a quarter of an hour (SOURCE=folder|kafka STREAM_PERSONS=n RATE=n MINUTES=n)
	@$(BIN)/python -m bench.stream --source $(SOURCE) --persons $(STREAM_PERSONS) --rate $(RATE) --minutes $(MINUTES)

.PHONY: bench-simulation
bench-simulation: setup ## simulate landing files (PERSONS=n): seconds, records, bytes
	@$(BIN)/python -m bench.simulation --persons $(PERSONS)

.PHONY: check
check: style types layers dead duplicates ## all static checks (with --keep-going, past the first fault)

.PHONY: style
style: setup
	@$(BIN)/ruff check $(present)
	@$(BIN)/ruff format --check --quiet $(present)

.PHONY: types
types: setup
	@$(BIN)/mypy

.PHONY: layers
layers: setup
	@$(BIN)/lint-imports --no-logo

# What only tests use is dead; so is what tests themselves do not use.
.PHONY: dead
dead: setup
	@$(BIN)/vulture $(filter-out tests,$(present))
	@$(BIN)/vulture $(present)

.PHONY: duplicates
duplicates: setup
	@$(BIN)/pylint --score=no --disable=all --enable=duplicate-code --ignore=__init__.py clvspark

.PHONY: format
format: setup ## format the code and mend what can be mended
	@$(BIN)/ruff check --fix --quiet $(present) || true
	@$(BIN)/ruff format $(present)

.PHONY: wheel
wheel: setup ## build dist/clvspark-*.whl
	@$(BIN)/python -m build --wheel --outdir dist .

.PHONY: sdist
sdist: setup ## build the source distribution dist/clvspark-*.tar.gz
	@$(BIN)/python -m build --sdist --outdir dist .

.PHONY: docs
docs: setup ## write the data dictionary, the command reference and the JSON Schemas anew
	@$(BIN)/python tools/data_dictionary.py
	@$(BIN)/python tools/command_reference.py
	@$(BIN)/python tools/schemas.py

# In an environment of its own: what builds the site has nothing to do with what runs clvspark.
SITE_TOOLS := .cache/docs-site
$(SITE_TOOLS)/ready: pyproject.toml constraints.txt
	@$(BIN)/python -m venv $(SITE_TOOLS)
	@$(SITE_TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	    $$($(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'])")
	@touch $@

.PHONY: docs-site
docs-site: setup $(SITE_TOOLS)/ready ## build the documentation site, strictly, into site/; site/index.html needs no server
	@NO_MKDOCS_2_WARNING=1 $(SITE_TOOLS)/bin/python -m mkdocs build --quiet --strict --site-dir site

.PHONY: lock
lock: setup ## pin the newest allowed versions in constraints.txt
	@tools/setup/lock.sh

.PHONY: clean
clean: ## remove what the tools made (not .venv, .cache and lakehouses)
	rm -rf build dist site spark-warehouse metastore_db derby.log
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.PHONY: distclean
distclean: clean ## remove also .venv and .cache
	rm -rf .venv .cache
