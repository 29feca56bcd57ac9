# What there is to run. Everything installs itself into .venv from constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest

.PHONY: demo test check faults bench screenshots clean install dbt help

help:
	@echo "make demo    watch a flow start two seconds after a log row, and another at its deadline"
	@echo "make test    all tests, on real servers"
	@echo "make check   formatting, linting, types, import contracts"
	@echo "make faults  break things at random and judge every launch (SEED=1 MINUTES=10)"
	@echo "make bench   measure launches beside their peers (QUICK=1 for the code path, FULL=1 at full size)"
	@echo "make screenshots  the board in both themes, into docs/ (needs Chromium)"
	@echo "make dbt     dbt, in a .venv-dbt of its own"
	@echo "make clean   remove .venv, .venv-dbt and .demo"

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing (the first time takes a minute or two) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install
	@exec $(BIN)/python -m airflow_readiness.demo

# dbt and Airflow want different versions of the same libraries, so dbt has an environment of its own
dbt: .venv-dbt/.installed

.venv-dbt/.installed: constraints-dbt.txt | install
	@echo "installing dbt into .venv-dbt …"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-dbt
	@$(BIN)/uv pip install --quiet --python .venv-dbt/bin/python --requirements constraints-dbt.txt
	@touch $@

# three processes: two for the tests with an Airflow, which mostly wait, and one for all others
test: install
	@$(MAKE) --no-print-directory dbt || echo "dbt cannot be installed here: its tests will be skipped"
	$(PYTEST) tests/e2e tests/integration tests/unit --numprocesses 3 --dist loadgroup --no-loadscope-reorder

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

faults: install
	$(BIN)/python -m tests.faults --seed $(or $(SEED),1) --minutes $(or $(MINUTES),10) $(FAULTS)

bench: install
	$(BIN)/python -m tests.bench $(if $(QUICK),--quick --out .bench) $(BENCH)

screenshots: install
	$(BIN)/python -m tests.e2e.browser.screenshots --out docs

clean:
	rm -rf $(VENV) .venv-dbt .demo .bench .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
