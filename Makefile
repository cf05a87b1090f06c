# `make` lists the commands. Each prepares what it needs by itself, once: Python in .venv/<version>, Azurite in node_modules.
#
#   ARGS='...'            passed on to the command:        make test ARGS='-k fingerprint -x'
#   PYTHON_VERSION=3.11   a Python other than the newest:  make test PYTHON_VERSION=3.11
#   PYTHON=/path/to/it    one that is not found by itself: make setup PYTHON=/opt/python/bin/python3.13

SHELL := /bin/sh
# Tests and the local cloud start processes by the hundred: their bytecode is kept, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help

# Runs what follows with the environment's commands first on PATH.
in_python := environment="$$(tools/setup.sh python)" && PATH="$$environment/bin:$$PATH" &&
# As above, with the Python that Azure runs the app on, whatever PYTHON_VERSION says.
in_azures_python := environment="$$(PYTHON_VERSION=3.13 tools/setup.sh python)" && PATH="$$environment/bin:$$PATH" &&
# As in_python, with Azurite at hand.
in_full := tools/setup.sh azurite && $(in_python)
# As in_python, in a second environment that has mutmut too: the usual one stays as it is.
in_mutants := $(in_python) with="$$environment-mutants" && \
	uv venv --quiet --allow-existing --python "$$environment/bin/python" "$$with" && \
	uv pip sync --quiet --python "$$with" requirements.txt operator_cli/requirements.txt requirements-dev.txt requirements-mutants.txt && PATH="$$with/bin:$$PATH" &&
compile := uv pip compile --quiet --universal --python-version 3.11 --no-header

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: ## Prepare this folder and do no more (every other command does it by itself)
	@$(in_full) echo "Ready: $$(python --version) in .venv, Azurite in node_modules."

.PHONY: demo
demo: ## Watch keys being rotated in a local cloud
	@$(in_full) python -m localcloud.demo $(ARGS)

.PHONY: start
start: ## Run the app in a local cloud and leave it running
	@$(in_full) python -m localcloud.start $(ARGS)

.PHONY: test
test: ## Run the tests, on all cores (ARGS='-n0 ...' in one process)
	@tools/setup.sh browser && $(in_full) python -m pytest -n auto --dist loadscope $(ARGS)

.PHONY: docs-check
docs-check: ## Check the documents: links, words, tables, and every command that runs without Azure
	@$(in_full) python -m pytest -q tests/unit/documents tests/e2e/test_operations.py tests/e2e/test_getting_started.py tests/e2e/test_consumers.py tests/e2e/test_subscriber.py $(ARGS)

.PHONY: pictures
pictures: ## Take the screenshots that README and docs show
	@tools/setup.sh browser && $(in_full) python -m tools.browser $(ARGS)

.PHONY: fuzz
fuzz: ## Ask the API thousands of things that Schemathesis makes up from its OpenAPI (FUZZ_EXAMPLES=500 FUZZ_SEED=1)
	@$(in_full) FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),500) FUZZ_SEED=$(or $(FUZZ_SEED),1) python -m pytest -q -s tests/e2e/test_openapi.py

.PHONY: explore
explore: ## Explore more orders of events than the tests do: whole budgets, then runs at random (RUNS=10000 SEED=7)
	@$(in_full) python -m pytest -n logical -m long $(ARGS)
	@$(in_python) python -m tests.interleavings $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED))

.PHONY: chaos
chaos: ## Break everything that can break and count the broken promises (ROUNDS=50 SEED=7 repeats a run)
	@$(in_full) python -m tests.chaos $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: live
live: ## Try in a subscription of yours what docs/fidelity.md assumes (ARGS=--local-cloud proves the suite itself)
	@$(in_full) python -m tests.live $(ARGS)

.PHONY: bench
bench: ## Measure the app against what people would write, another commit (ARGS='--before HEAD~3') and the limit (QUICK=1: in a minute)
	@$(in_python) python -m benchmarks $(if $(QUICK),--quick) $(ARGS)

.PHONY: bench-page
bench-page: ## Measure in the browser how the page shows ten thousand secrets, in two minutes
	@tools/setup.sh browser && $(in_full) python -m tools.browser.measure $(ARGS)

.PHONY: package
package: ## Build what is deployed: dist/azure-key-rotator.zip, with its dependencies, compiled by Azure's Python
	@$(in_azures_python) python -m tools.package $(ARGS)

.PHONY: mutants
mutants: ## Change the domain and the providers a bit at a time and list what no test notices (ARGS=rotation/policy/due.py)
	@$(in_mutants) python -m tools.mutants $(ARGS)

.PHONY: coverage
coverage: ## Run the tests and show which lines they miss
	@$(in_full) coverage run -m pytest $(ARGS) && coverage report

.PHONY: lint
lint: ## Check style, formatting, types, the direction of imports, and the infrastructure
	@$(in_full) ruff check && ruff format --check && mypy && lint-imports
	@npx biome check --error-on-warnings
	@tools/lint_bicep.sh

.PHONY: format
format: ## Put formatting and what ruff and Biome can fix right
	@$(in_full) ruff check --fix-only && ruff format && npx biome check --write

.PHONY: lock
lock: ## Pin the dependencies that pyproject.toml names (ARGS=--upgrade for newer ones)
	@$(in_python) $(compile) pyproject.toml -o requirements.txt $(ARGS)
	@$(in_python) $(compile) operator_cli/pyproject.toml -c requirements.txt -o operator_cli/requirements.txt $(ARGS)
	@$(in_python) $(compile) --group dev -c requirements.txt -c operator_cli/requirements.txt -o requirements-dev.txt $(ARGS)
	@$(in_python) $(compile) --group mutants -c requirements.txt -c operator_cli/requirements.txt -c requirements-dev.txt -o requirements-mutants.txt $(ARGS)

.PHONY: clean
clean: ## Remove everything that the commands above made
	@rm -rf .venv node_modules tools/browser/node_modules .local dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache mutants
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
