# What a developer does, by name. Works with GNU make 3.81 (which macOS has) and later.
#
#   make run     the gateway in front of a sample upstream, and what to try      make run ARGS=--help
#   make test    every test, two at a time (JOBS=1: in this process)             make test ARGS="tests/unit -k retry"
#   make lint    style, types, import rules, security, sizes, shell and YAML files
#
# The first of these makes .venv and installs what the lock files pin. PYTHON=/path/to/python3.12 chooses another Python.

VENV ?= .venv
ARGS ?=
JOBS ?= 2
SOAK_SECONDS ?= 900
FUZZ_SECONDS ?= 3600
BIN := $(VENV)/bin
PYTHONS = $(if $(PYTHON),"$(PYTHON)",python3.11 python3 python3.12 python3.13 python3.14)
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip --quiet

# What coverage must reach of lines and branches where a defect corrupts or leaks traffic. Never lowered.
ENGINE := proxy/engine.py,proxy/exchange.py,proxy/chain.py,proxy/framing.py,proxy/flow.py,proxy/body.py,proxy/plan.py,$\
	proxy/answers.py,proxy/fields.py,proxy/headers.py,proxy/ports.py,proxy/tally.py,proxy/waiting.py,proxy/corked.py,$\
	proxy/routing/*,proxy/frontend/*,proxy/upstream/*
ENGINE_COVERAGE := 95

# B105 takes the Host policy "pass" for a password. B311: randomness here spreads load and makes ids, it guards nothing.
# B404, B603: ruff asks for a reason beside every process that is started.
BANDIT_SKIP := B105,B311,B404,B603

# Tests start hundreds of processes; where this is set, as it is in many images of Python, each compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test coverage lint style types imports security secrets workflows sizes files audit fresh bench \
	regress soak docs schema lock image image-test dist notes sbom clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' Makefile

# what is installed

$(BIN)/python:
	@for python in $(PYTHONS); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "making $(VENV) with $$("$$python" --version)"; \
			if "$$python" -m venv "$(VENV)"; then exit 0; fi; \
			rm -rf "$(VENV)"; \
			echo "$$python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; \
			exit 1; \
		fi; \
	done; \
	echo "Python 3.11 or later is needed and none was found among:" $(PYTHONS) >&2; \
	echo "name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
	exit 1

$(VENV)/.base: requirements.lock setup.cfg pyproject.toml | $(BIN)/python
	@echo "installing what requirements.lock pins"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.base
	@echo "installing what requirements-dev.lock pins"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# what is run

run: $(VENV)/.base
	@$(BIN)/passerelle demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses $(if $(filter 1,$(JOBS)),0,$(JOBS)) --dist worksteal $(ARGS)

soak: $(VENV)/.dev
	SOAK_SECONDS=$(SOAK_SECONDS) FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest -m soak -s $(ARGS)

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

regress: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.regress $(ARGS)

coverage: $(VENV)/.dev
	@rm -f .coverage .coverage.*
	@$(MAKE) test ARGS="--cov --cov-report= $(ARGS)"
	@$(BIN)/coverage report
	@echo "of the engine, at least $(ENGINE_COVERAGE) %:"
	@$(BIN)/coverage report --include='$(ENGINE)' --fail-under=$(ENGINE_COVERAGE)

# what is checked

lint: style types imports security secrets workflows sizes files

style: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

security: $(VENV)/.dev
	$(BIN)/bandit --quiet --recursive --skip $(BANDIT_SKIP) proxy plugins

# what may not stand in a repository: keys, tokens, passwords in URLs
secrets: $(VENV)/.dev
	$(BIN)/python .ci/secrets.py

workflows: $(VENV)/.dev
	$(BIN)/zizmor --offline --no-progress --quiet .github

# Known vulnerabilities in what is pinned. Asks the network, so .ci/run does without.
audit: $(VENV)/.dev
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements-image.lock
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements-dev.lock

sizes: $(VENV)/.dev
	$(BIN)/python .ci/house.py proxy plugins benchmarks deploy docs tests .ci

# config/ is checked by what reads it
files: $(VENV)/.dev
	$(BIN)/yamllint --strict compose.yaml deploy .github .yamllint
	$(BIN)/shellcheck .ci/run deploy/*/*.sh

fresh: $(VENV)/.dev
	$(BIN)/passerelle schema --check config/schema.json
	$(BIN)/python -m docs.generate --check

# what is generated

schema: $(VENV)/.base
	$(BIN)/passerelle schema --write config/schema.json

docs: $(VENV)/.dev
	$(BIN)/python -m docs.generate

# Compiled by Python 3.11, the oldest that is supported, so that what only it needs is there; ARGS=--upgrade renews.
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header $\
	--build-deps-for editable --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

lock: $(VENV)/.dev
	$(COMPILE) $(ARGS) --output-file requirements.lock setup.cfg
	$(COMPILE) $(ARGS) --extra brotli --extra zstd --output-file requirements-image.lock setup.cfg
	$(COMPILE) $(ARGS) --extra test --extra dev --output-file requirements-dev.lock setup.cfg

# what is shipped

image:
	deploy/image/build.sh $(ARGS)

image-test:
	@python3 deploy/image/check.py

# The wheel, built twice and compared, of the commit that is checked out; into dist/.
dist: $(VENV)/.dev
	@$(BIN)/python -m deploy.release.dist

# What the changelog says of a version, into dist/notes.md. TAG has to be the version's.
notes: $(VENV)/.dev
	@$(BIN)/python -m deploy.release.notes $(TAG)

# What Python installs into the image, in CycloneDX: the gateway and its dependencies, not the base.
sbom: $(VENV)/.dev
	$(BIN)/python -m deploy.release.sbom

clean:
	rm -rf $(VENV) .venv-bench build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache \
		.hypothesis .coverage .coverage.* htmlcov
	find proxy plugins tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +
