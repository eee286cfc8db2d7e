# Everything runs in .venv, which is set up once and again when pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
READY := .venv/ready

.PHONY: help demo train-demo check test quick lint format schemas docs fuzz figures screenshots page \
	constraints lowest container dist hooks clean
.DEFAULT_GOAL := help

help:
	@echo "make demo        set up, and segment a synthetic abdomen from a few annotated slices: demo/report.html"
	@echo "make train-demo  what unlabelled scans are worth: three ways of training, three times each (half an hour)"
	@echo "make check       set up, and run format check, lint, types and the tests that are not slow (a minute or two)"
	@echo "make test        format check, lint, types and all tests (minutes)"
	@echo "make format      format the code, and correct what ruff can correct"
	@echo "make docs        the documentation as a site in site/, and every command in it run (minutes)"
	@echo "make fuzz        thousands of damaged files, different ones every time (minutes)"
	@echo "make figures     the benchmark tables on synthetic scans (minutes)"
	@echo "make screenshots the pictures of docs/annotate.md, from Chromium"
	@echo "make page        the annotation page from its source in web/, tested (needs Node)"
	@echo "make lowest      the tests that are not slow, with the oldest libraries that pyproject.toml allows"
	@echo "make constraints constraints.txt from the versions in .venv"
	@echo "make container   the image ivos:cpu, or KIND=cuda, KIND=flare22 (needs Docker, or CONTAINER=podman)"
	@echo "make dist        source distribution and wheel in dist/"
	@echo "make hooks       run format and schemas before every commit"
	@echo "make clean       remove .venv and what the demo wrote"

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@

demo: $(READY)
	$(BIN)/ivos demo --output demo

train-demo: export OMP_WAIT_POLICY := PASSIVE
train-demo: $(READY)
	$(BIN)/python -m benchmarks.semi_supervised --folder train-demo

lint: $(READY) schemas
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

SCHEMA = $(BIN)/check-jsonschema --quiet --builtin-schema
schemas: $(READY)
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA) vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(SCHEMA) vendor.citation-file-format CITATION.cff
	$(BIN)/pre-commit validate-config

# One thread per process: several PyTorch processes that each take all cores slow each other down. The trainings run
# in processes of their own: what PyTorch keeps of large networks adds up.
quick test lowest docs: export OMP_NUM_THREADS := 1
quick test lowest docs: export OMP_WAIT_POLICY := PASSIVE
PARALLEL := -n logical --maxprocesses 4 --dist loadgroup
QUICK := $(PARALLEL) -m "not docs and not slow"

check: lint quick

quick: $(READY)
	$(BIN)/pytest $(QUICK)

test: lint
	$(BIN)/pytest $(PARALLEL) -m "not docs" --ignore tests/training
	$(BIN)/pytest $(PARALLEL) -m "not docs" tests/training

# Old libraries warn of what newer Pythons will change: warnings are no errors here.
LOWEST := .venv-lowest/bin
lowest:
	$(PYTHON) -m venv .venv-lowest
	$(LOWEST)/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/uv pip install --quiet --python $(LOWEST)/python --resolution lowest-direct -e ".[dev]"
	$(LOWEST)/pytest $(QUICK) -W default

# Without what PyTorch itself requires exactly: CUDA's libraries differ from build to build.
constraints: $(READY)
	@$(BIN)/python -c "import platform as p; print('# Tested together on', p.system(), 'with Python', p.python_version())" > constraints.txt
	@echo '# Use: pip install -c constraints.txt ivos' >> constraints.txt
	@echo '# Written by make constraints.' >> constraints.txt
	$(BIN)/python -m pip list --disable-pip-version-check --format=freeze --exclude-editable --exclude pip --exclude setuptools \
		| sed -e 's/+.*//' -e '/^nvidia-ml-py=/!{/^nvidia-/d;}' -e '/^cuda-/d' -e '/^triton=/d' >> constraints.txt

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/pytest -m docs tests/docs

fuzz: $(READY)
	$(BIN)/pytest --timeout 0 --hypothesis-profile=fuzz tests/io/test_fuzz.py

figures: $(READY)
	$(BIN)/python -m benchmarks.one_slice
	$(BIN)/python -m benchmarks.every_nth

screenshots: $(READY)
	IVOS_SCREENSHOTS=docs/annotate $(BIN)/pytest tests/annotate/e2e/test_tutorial.py

page:
	cd web && npm ci && npm test && npm run build

CONTAINER ?= docker
KIND ?= cpu
container:
	$(CONTAINER) build -f containers/Containerfile.$(KIND) -t ivos:$(KIND) .

dist: $(READY)
	rm -rf dist
	$(BIN)/hatchling build

hooks: $(READY)
	$(BIN)/pre-commit install

clean:
	rm -rf .venv .venv-lowest demo train-demo site dist
