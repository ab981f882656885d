# Two commands do everything on a machine with Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/installed

# Without compiled bytecode every Airflow process starts three times slower.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH

.PHONY: demo test test-all check format lock bench screenshots clean

demo: $(INSTALLED) ## a make-believe company on Airflow; ONCE=1 ends when everything has run once
	$(BIN)/threadline demo $(if $(ONCE),--once)

test: $(INSTALLED) ## the tests that are quick
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

test-all: $(INSTALLED) ## everything: real servers, browser, Airflow stack, kill schedules
	$(BIN)/pytest

check: $(INSTALLED) ## style, types, import rules, mapping files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/threadline map check

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## threadline beside its peers, into docs/performance.md; QUICK=1 only prints threadline's own figures
	$(BIN)/python -m benchmarks.run $(if $(QUICK),--quick)

screenshots: $(INSTALLED) ## the pictures of the documentation; needs chromium and chromium-driver
	$(BIN)/python -m docs.screenshots

lock: $(INSTALLED) ## pin every dependency anew
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --generate-hashes --no-emit-index-url --upgrade \
		--custom-compile-command "make lock" --quiet --output-file requirements.lock

clean:
	rm -rf .venv .demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(INSTALLED): requirements.lock requirements-uv.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode requirements.lock
	$(BIN)/uv pip install --quiet --no-build-isolation --no-deps --editable .
	touch $@
