# The two commands: `make run` (set-up, then raw files to recommendations) and `make test` (set-up, then all checks).
# Your own settings: make run PARAMS=path/to/params.yaml LEADS=folder/of/raw/files

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true

# pip compiles one file after the other; there are 16,000 of them, a few of which are templates and no Python at all.
INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes
COMPILE := .venv/bin/python -m compileall -qq -j 0 .venv/lib || true

.PHONY: help setup spark run test cover lint docs bench ui lock clean

help:
	@grep -E '^[a-z]+:.*#' Makefile | sed -E 's/:[^#]*# /\t/' | expand -t 12

setup: .venv/ready # make the virtual environment from the lock

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, and $(PYTHON) is older; name another: make PYTHON=python3.12"; exit 1; }
	@echo "setting up .venv from requirements.lock (some minutes, once)"
	@$(PYTHON) -m venv .venv
	@$(INSTALL) -r requirements.lock
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(COMPILE)
	@touch .venv/ready

spark: setup # add Spark for run.executor (half a gigabyte; it needs Java 17)
	@$(INSTALL) -r requirements-spark.lock
	@$(COMPILE)

run: setup # take raw files to recommendations; the built-in sample where there are none
ifdef PARAMS
	@test -f "$(PARAMS)" || { echo "there is no file $(PARAMS); name one, as in PARAMS=examples/loan-leads/params.yaml"; exit 4; }
	@sed $(if $(LEADS),-e 's|^data_root:.*|data_root: $(LEADS)|') -e '' $(PARAMS) > .params.new
	@cmp -s .params.new params.yaml || git diff --quiet HEAD -- params.yaml || { rm .params.new; \
		echo "params.yaml has changes that are not committed, and would be overwritten by $(PARAMS)."; \
		echo "Keep them (git commit params.yaml) or drop them (git checkout params.yaml), then run again."; exit 3; }
	@mv .params.new params.yaml
else
ifdef LEADS
	@echo "LEADS goes with PARAMS: make run PARAMS=path/to/params.yaml LEADS=$(LEADS); or: leadcast init $(LEADS)"; exit 2
endif
	@if grep -q '^data_root: data/raw' params.yaml && [ -z "$$(ls -A data/raw 2>/dev/null)" ]; then leadcast sample; fi
endif
	@dvc repro
	@echo && cat reports/summary.txt
	@leadcast verdicts > /dev/null # ends with exit code 10 where a verdict stands

# An index out of bounds is an error of the test then, and not another's memory; a worker that dies ends the run. What a
# process has compiled is there for the hundreds that tests start, even where the shell asks for no such files. In the
# order of tests/conftest.py, which also says how many workers there are: by the number of tests, the files of few and
# long ones would come last, and one worker idle.
test: export NUMBA_BOUNDSCHECK := 1
test: export NUMBA_CACHE_DIR := $(CURDIR)/.pytest_cache/numba
test: export PYTHONDONTWRITEBYTECODE :=
test: export NUMBA_DISABLE_PERFORMANCE_WARNINGS := 1
test: setup lint # all tests, ruff and mypy
	@pytest --numprocesses=auto --maxprocesses=4 --max-worker-restart=0 --dist=loadfile --no-loadscope-reorder $(COVER)

cover: COVER := --cov --cov-report=term # all tests, and which lines they reach: a fifth slower
cover: test

lint: setup
	@ruff format --check --quiet . || { echo "run: .venv/bin/ruff format ."; exit 1; }
	@ruff check --quiet .
	@mypy --num-workers auto

docs: setup # write the pages of docs/ that are generated from the code
	@python -m docs.build

bench: setup # measure the engine against pandas, DuckDB and others; SIZE=large, push, bounds or spark for others, SIZE=truth for promises, DOCS=yes for the page
	@python -m benchmarks.run --size $(or $(SIZE),standard) $(if $(DOCS),--write-docs)

ui: setup # open MLflow on the runs
	@leadcast ui

lock: # resolve the dependencies anew (needs uv on the path)
	uv pip compile --quiet --universal --no-emit-index-url --generate-hashes --python-version 3.11 --extra dev \
		--custom-compile-command "make lock" pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --no-emit-index-url --generate-hashes --python-version 3.11 --extra spark \
		--constraint requirements.lock --custom-compile-command "make lock" pyproject.toml -o requirements-spark.lock

clean: # remove all outputs, but not raw files nor the history of scores
	rm -rf data/*.parquet data/*.json data/quarantine data/model data/recommendations.csv reports/metrics.json \
		reports/breakdown.json reports/verdicts.json reports/comparisons reports/p* reports/summary.txt reports/*.html \
		.mypy_cache .pytest_cache .ruff_cache
