# The two commands a newcomer needs are `make demo` and `make test`. `make help` lists the rest.

PYTHON ?= python3
# Another one, as in PYTHON=python3.13, has a virtual environment of its own. pyenv's may be installed and not be on the PATH.
ifeq ($(PYTHON),python3)
INTERPRETER := python3
VENV := .venv
else
INTERPRETER := $(shell for each in $(PYTHON) "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/*/bin/$(PYTHON); do "$$each" -c 'import sys; print(sys.executable)' 2>/dev/null && break; done)
ifeq ($(INTERPRETER),)
$(error no $(PYTHON) here, nor among pyenv's versions: install it, or give the path of one, as in PYTHON=/opt/python/bin/python3.13)
endif
VENV := .venv-$(shell $(INTERPRETER) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif
BIN := $(VENV)/bin
STEP := @bash -c 'TIMEFORMAT="== $$1: %1R s"; time "$${@:2}"' step
SIZE ?= full
SEED ?= 1
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo examples test without-linux switched quick models lint format types directions bench bench-smoke torture build coverage mutants clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':[^#]*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

demo: $(VENV)/.installed  ## ten delayed jobs, a live ring, a worker killed with -9: nothing lost
	$(STEP) "demo" $(BIN)/python demo.py

examples: $(VENV)/.installed  ## the programs in examples/, one after the other, the fast way
	$(BIN)/python examples/wheel_demo.py --fast
	$(BIN)/python examples/email_notifier/notify.py --fast
	$(BIN)/python examples/two_jobs.py --fast
	$(BIN)/python examples/sms_code/run.py --fast
	$(BIN)/python examples/sms_retry.py
	$(BIN)/python examples/producer_consumer.py --fast
	$(BIN)/python examples/web_producer.py --siege

TESTS ?=
# The code on the pages is run by `make docs`.
BLOCKS := tests/docs/test_code_blocks.py
test: $(VENV)/.tests  ## the tests (a few minutes at most); PYTHON=python3.13 TESTS=tests/unit: with that Python, and only those
	$(STEP) "tests" $(PYTEST) $(or $(TESTS),--ignore=$(BLOCKS))

without-linux: $(VENV)/.tests  ## the contract, pools and demo without what only Linux has, as on macOS (two minutes)
	$(STEP) "without what only Linux has" env HOURWHEEL_WITHOUT_LINUX=1 $(PYTEST) tests/process/test_without_linux.py

switched: $(VENV)/.tests  ## twelve programs written for Celery, under Celery and under hourwheel.celery: the same outcome? (two minutes)
	$(STEP) "programs, switched" $(BIN)/python -m tests.celery

quick: $(VENV)/.lint .cache/imported  ## the inner loop: unit tests of the rooms that changed, and the types, in under 30 seconds
	@$(BIN)/python -m tests.quick

torture: $(VENV)/.tests  ## try to break the guarantees: all campaigns, one table (full: 40 minutes on two cores; SIZE=ci: 25; SIZE=smoke: one or two)
	$(STEP) "torture, $(SIZE)" $(BIN)/python -m tests.torture --size $(SIZE) --seed $(SEED)

lint: $(VENV)/.lint format-check directions  ## style (ruff), layout and import directions
	$(STEP) "ruff" $(BIN)/ruff check .

format-check: $(VENV)/.lint
	$(STEP) "format" $(BIN)/ruff format --check .

format: $(VENV)/.lint  ## put the code into the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

# Type checkers and import-linter see the packages as they are imported, without an install.
.PHONY: .cache/imported
.cache/imported:
	@rm -rf $@ && mkdir -p $@/hourwheel && ln -sfn $(foreach part,$(filter-out wheel/__pycache__,$(wildcard wheel/*)) store,../../../$(part)) $@/hourwheel

types: $(VENV)/.lint .cache/imported  ## mypy --strict over the packages, typing tests and pages; basedpyright over the typing tests
	$(STEP) "types" env MYPYPATH=.cache/imported $(BIN)/mypy -p hourwheel
	$(STEP) "types, as on macOS" env MYPYPATH=.cache/imported $(BIN)/mypy --platform darwin --cache-dir .cache/mypy-macos -p hourwheel
	$(STEP) "typing tests" env MYPYPATH=.cache/imported $(BIN)/mypy tests/typing
	$(STEP) "typing tests, basedpyright" $(BIN)/basedpyright --pythonpath $(BIN)/python
	$(STEP) "types of README.md and docs/" $(BIN)/python tests/docs/check_types.py

directions: $(VENV)/.lint .cache/imported
	$(STEP) "directions" env PYTHONPATH=.cache/imported $(BIN)/lint-imports

bench: $(VENV)/.bench  ## the benchmark table: every figure beside its floor and its peers (some minutes)
	$(STEP) "benchmarks" $(BIN)/python -m benchmarks

bench-smoke: $(VENV)/.bench  ## the same at a tenth of the size, to see that it runs
	$(STEP) "benchmarks, small" $(BIN)/python -m benchmarks --smoke

.PHONY: docs pictures
docs: $(VENV)/.docs $(VENV)/.tests  ## the documentation as a site, in build/docs; fails at the first warning; and the code on its pages is run
	$(STEP) "docs" $(BIN)/python -m sphinx -q -W --keep-going -b html -d .cache/doctrees docs build/docs
	@echo build/docs/index.html
	$(STEP) "the code in README.md and docs/" $(PYTEST) $(BLOCKS)

pictures: $(VENV)/.installed  ## draw the pictures in docs/ anew; python docs/make_recording.py also records the demo anew
	@$(BIN)/python docs/make_ring.py
	@$(BIN)/python docs/make_rooms.py
	@$(BIN)/python docs/make_recording.py --draw

build: $(VENV)/.tests  ## the wheel artefact, in dist/
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation -w dist .
	@ls dist

# What a lost or doubled job would be the fault of; every branch of it is run by the fast tests.
WHOLE := ring turn state deciding limits ready keys leases codec journal lines epoch newest ahead header snapshot snapshot_writer lock ticker asking heart latch scheduler
comma := ,
empty :=
space := $(empty) $(empty)

coverage: $(VENV)/.tests  ## branch coverage of the fast tests; fails unless it is 100 % for ring, state, journal and the like
	@rm -rf .cache/coverage && mkdir -p .cache/coverage
	$(STEP) "tests under coverage" $(BIN)/coverage run -m pytest -q -n 2 $(addprefix --ignore=tests/,packaging docs examples torture)
	@$(BIN)/coverage combine -q && $(BIN)/coverage report
	@$(BIN)/coverage report --fail-under=100 --include='$(subst $(space),$(comma),$(foreach name,$(WHOLE),*/$(name).py))'

mutants: $(VENV)/.tests  ## would the tests notice? every small slip in the same modules is tried on them (half an hour)
	$(STEP) "mutants" $(BIN)/python -m tests.mutants --fresh --page

clean:  ## remove what was made here
	rm -rf .venv .venv-3.* .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

# ---- the virtual environment, in layers; a stamp each, so that a second call has nothing to do ------------------

$(BIN)/python:
	$(STEP) "virtual environment" $(INTERPRETER) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(STEP) "install hourwheel" $(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.tests: pyproject.toml $(VENV)/.installed
	$(STEP) "install what the tests need" $(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

$(VENV)/.lint: pyproject.toml $(VENV)/.tests
	$(STEP) "install the linters" $(BIN)/pip install --quiet --disable-pip-version-check -e '.[test,lint]'
	@touch $@

$(VENV)/.docs: pyproject.toml $(VENV)/.installed
	$(STEP) "install what the site needs" $(BIN)/pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

$(VENV)/.bench: pyproject.toml $(VENV)/.installed
	$(STEP) "install the benchmarks' peers" $(BIN)/pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@
