# Two commands are enough: `make run` and `make test`. Everything sets itself up first.
PYTHON := .venv/bin/python
# Packages of other programs (ROS sets these) would be imported instead of the pinned ones.
unexport PYTHONPATH PYTHONHOME

.PHONY: help setup run app test lint format bench clean
.DEFAULT_GOAL := help

help: ## what can be typed here
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(firstword $(MAKEFILE_LIST))

setup: ## fill .venv/ and install missing system libraries
	@scripts/setup.sh

run: setup ## open the app on an embedded sample; without a display, refine it headless
	@$(PYTHON) scripts/run_sample.py

app: setup ## open the app
	@$(PYTHON) -m app

test: ## everything CI runs: lint, types, import contracts, all tests
	@scripts/setup.sh --tests
	@$(PYTHON) scripts/checks.py

lint: setup ## lint, types and import contracts
	@$(PYTHON) scripts/checks.py --no-tests

format: setup ## rewrite the sources the way `make lint` wants them
	@$(PYTHON) -m ruff check --fix . ; $(PYTHON) -m ruff format .

bench: setup ## seconds and memory per sub-stage, against the plain way
	@$(PYTHON) -m refine_engine bench

clean: ## remove everything made here, the environment included
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find app refine_engine tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
