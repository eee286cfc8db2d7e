# Everything runs in .venv, which is set up once and again when pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: help demo train-demo test lint docs fuzz figures screenshots page clean
.DEFAULT_GOAL := help

help:
	@echo "make demo        set up, and segment a synthetic abdomen from a few drawn slices: demo/report.html"
	@echo "make train-demo  what unlabelled scans are worth: three ways of training, three times each (half an hour)"
	@echo "make test        set up, and run format check, lint, types and tests"
	@echo "make docs        the documentation as a site in site/, and every command in it run (minutes)"
	@echo "make fuzz        thousands of damaged files, other ones every time (minutes)"
	@echo "make figures     the benchmark tables on synthetic scans (minutes)"
	@echo "make screenshots the pictures of docs/annotate.md, made anew in Chromium"
	@echo "make page        the annotation page from its source in web/ (needs Node)"
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

# One thread a process: several PyTorch processes that each take all cores stand in each other's way. The trainings come
# in processes of their own: what PyTorch keeps of large networks adds up.
PYTEST := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -n logical --maxprocesses 4 --dist loadgroup -m "not docs"

test: lint
	$(PYTEST) --ignore tests/training
	$(PYTEST) tests/training

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -m docs tests/docs

fuzz: $(READY)
	$(BIN)/pytest --timeout 0 --hypothesis-profile=fuzz tests/io/test_fuzz.py

figures: $(READY)
	$(BIN)/python -m benchmarks.one_slice
	$(BIN)/python -m benchmarks.every_nth

screenshots: $(READY)
	IVOS_SCREENSHOTS=docs/annotate $(BIN)/pytest tests/annotate/e2e/test_tutorial.py

page:
	cd web && npm ci && npm test && npm run build

clean:
	rm -rf .venv demo train-demo site
