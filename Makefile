# Everything runs in .venv, which the first target that needs it makes from requirements.lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow check format bench lock clean

demo: $(READY)  ## train on 5,000 real handwritten digits and leave a report
	$(BIN)/sparring train mnist --budget 2m --run-name demo
	$(BIN)/sparring sample latest -n 64 --grid
	$(BIN)/sparring evaluate latest -n 2000
	@echo "open runs/ in a browser: the newest folder's report.html"

test: check  ## format, lint, strict types, then the tests, by a process a core
	$(BIN)/python -m pytest -q -n logical --maxprocesses 4 --dist worksteal

test-slow: $(READY)  ## the long checks
	$(BIN)/python -m pytest -q -m slow

check: $(READY)  ## format, lint, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy -p sparring_series

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## speed and quality tables; each benchmark is also a command of its own
	$(BIN)/python -m benchmarks.step_speed
	$(BIN)/python -m benchmarks.quality digits

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $(READY)

lock: $(READY)  ## pin what is installed now
	@grep '^#' requirements.lock > requirements.lock.new
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' >> requirements.lock.new
	mv requirements.lock.new requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
