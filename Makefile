# Everything runs in .venv, which is set up once and again when pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: help demo train-demo test lint fuzz figures clean
.DEFAULT_GOAL := help

help:
	@echo "make demo        set up, and segment a synthetic abdomen from a few drawn slices: demo/report.html"
	@echo "make train-demo  what unlabelled scans are worth: three ways of training, three times each (half an hour)"
	@echo "make test        set up, and run format check, lint, types and tests"
	@echo "make fuzz        thousands of damaged files, other ones every time (minutes)"
	@echo "make figures     the benchmark tables on synthetic scans (minutes)"
	@echo "make clean       remove .venv and what the demo wrote"

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@

demo: $(READY)
	$(BIN)/ivos demo --output demo

train-demo: $(READY)
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m benchmarks.semi_supervised --folder train-demo

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest

fuzz: $(READY)
	$(BIN)/pytest --hypothesis-profile=fuzz tests/volume/test_fuzz.py

figures: $(READY)
	$(BIN)/python -m benchmarks.one_slice
	$(BIN)/python -m benchmarks.every_nth

clean:
	rm -rf .venv demo train-demo
