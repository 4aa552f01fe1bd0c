# One virtual environment, .venv, made on first use. A stamp file per set of extras
# means that a second run installs nothing.

VENV := .venv
BENCH_VENV := .venv-bench
BRIAN2_VENV := .venv-brian2
OLDEST_VENV := .venv-oldest
BIN := $(VENV)/bin
WORKERS ?= 2

# What a run leaves behind (compiled kernels, font caches) stays inside build/.
export MPLBACKEND := Agg
export MPLCONFIGDIR := $(CURDIR)/build/cache/matplotlib
export NUMBA_CACHE_DIR := $(CURDIR)/build/cache/numba
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test slow lint format types layers docs examples bench oldest install-dev install-docs clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 24

# ---------------------------------------------------------------- environments
define create_environment
	@found=; \
	for name in $(PYTHON) python3.11 python3; do \
	    if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	    then found=$$name; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "popdyn needs Python 3.11 or newer: install it, or say where it is: make PYTHON=/path/to/python3.11" >&2; \
	    exit 1; \
	fi; \
	echo "making $(1) with $$($$found --version)"; \
	$$found -m venv --clear $(1)
	@touch $@
endef

$(VENV)/.created:
	$(call create_environment,$(VENV))

$(VENV)/.demo: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing popdyn and what it needs into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing popdyn and what it needs into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.demo

$(VENV)/.docs: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing popdyn and what it needs into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev,docs]"
	@touch $@ $(VENV)/.dev $(VENV)/.demo

$(BENCH_VENV)/.created:
	$(call create_environment,$(BENCH_VENV))

$(BENCH_VENV)/.bench: $(BENCH_VENV)/.created pyproject.toml constraints.txt
	@echo "installing popdyn and its peers into $(BENCH_VENV) (once)"
	@$(BENCH_VENV)/bin/python -m pip install --quiet -c constraints.txt -e ".[bench]"
	@touch $@

$(BRIAN2_VENV)/.created:
	$(call create_environment,$(BRIAN2_VENV))

# Brian2 needs an older NumPy than popdyn; without it its benchmarks are skipped.
$(BRIAN2_VENV)/.brian2: $(BRIAN2_VENV)/.created
	@echo "installing Brian2 into $(BRIAN2_VENV) (once)"
	@$(BRIAN2_VENV)/bin/python -m pip install --quiet brian2==2.9.0 "numpy<2.4" cython setuptools \
	    || { echo "Brian2 does not install here: skipped"; rm -f $(BRIAN2_VENV)/bin/python; }
	@touch $@

$(OLDEST_VENV)/.created:
	$(call create_environment,$(OLDEST_VENV))

$(OLDEST_VENV)/.oldest: $(OLDEST_VENV)/.created pyproject.toml constraints-oldest.txt
	@echo "installing the oldest versions allowed into $(OLDEST_VENV) (once)"
	@$(OLDEST_VENV)/bin/python -m pip install --quiet -c constraints-oldest.txt -e ".[dev]"
	@touch $@

install-dev: $(VENV)/.dev  ## Install popdyn with what the tests need
install-docs: $(VENV)/.docs  ## The same, and what the documentation needs

# ----------------------------------------------------------------------- users
demo: $(VENV)/.demo  ## Compare the shipped recordings with simulated networks: build/report.html
	$(BIN)/popdyn demo

# ------------------------------------------------------------------ developers
# One BLAS thread per worker: more of them than cores only wait for each other. The same random
# examples for everybody; without the seed hypothesis looks further.
test: $(VENV)/.dev  ## Run the tests (WORKERS=2 of them side by side)
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --durations=10 --hypothesis-seed=0

slow: $(VENV)/.dev  ## Run the tests that take minutes
	$(BIN)/python -m pytest -m slow --durations=0

# Old packages warn of what newer ones beside them removed: warnings are no errors here.
oldest: $(OLDEST_VENV)/.oldest  ## Run the tests with the oldest versions allowed
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 NUMBA_CACHE_DIR=$(CURDIR)/build/cache/oldest \
	    $(OLDEST_VENV)/bin/python -m pytest -n $(WORKERS) -o filterwarnings=default

lint: $(VENV)/.dev  ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev  ## Format the code, fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev  ## Check types
	$(BIN)/mypy

layers: $(VENV)/.dev  ## Check that imports go one way
	$(BIN)/lint-imports

docs: $(VENV)/.docs  ## Build the documentation: docs/_build/html/index.html
	@rm -rf docs/api/generated
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

examples: $(VENV)/.demo  ## Run every example, warnings as errors
	@mkdir -p build/examples
	@for script in examples/*.py; do \
	    echo "$$script"; $(BIN)/python -W error $$script || exit 1; \
	done

bench: $(BENCH_VENV)/.bench $(BRIAN2_VENV)/.brian2  ## Measure speed and memory beside other packages
	BRIAN2_PYTHON=$(CURDIR)/$(BRIAN2_VENV)/bin/python $(BENCH_VENV)/bin/python -m benchmarks

clean:  ## Remove what was built, and the environments
	rm -rf build dist docs/_build docs/gallery docs/api/generated docs/sg_execution_times.rst
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf $(VENV) $(BENCH_VENV) $(BRIAN2_VENV) $(OLDEST_VENV)
	find popdyn tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
