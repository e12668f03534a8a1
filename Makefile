# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything that is made here lies under .cache/. With another Python: make PYTHON=python3.12 TARGET
PYTHON ?= python3
VENV := .cache/venv/bin
STAGES := unit lab-test lint sanity integration system rotation

.PHONY: help demo test $(STAGES) bench build clean environment
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: environment ## see it work, against a simulated Artifactory and Chainguard
	@$(VENV)/python tests/demo

test: environment ## all of the following seven, counted
	@$(VENV)/python tests/tools/run_tests.py

unit: ## the unit tests of plugins/, with their coverage
lab-test: ## the tests of the simulated services
lint: ## ansible-lint, the antsibull linters, galaxy-importer, black, mypy, licenses
sanity: ## ansible-test sanity, on each ansible-core whose Python is found
integration: ## ansible-test integration, against the simulated services
system: ## the role, the playbooks and real clients, against the simulated services
rotation: ## how pull tokens are renewed: hundreds of runs, and a line for each point that they show
$(STAGES): environment
	@$(VENV)/python tests/tools/run_tests.py $@

bench: environment ## each benchmark in tests/benchmark/
	@set -e; for script in tests/benchmark/[a-z]*.py; do $(VENV)/python "$$script"; done

build: environment ## the artifact that ansible-galaxy collection install takes
	@cd "$$($(VENV)/python tests/tools/source_tree.py build)" && \
	  "$(CURDIR)/$(VENV)/ansible-galaxy" collection build --force --output-path "$(CURDIR)/.cache/build"

clean: ## remove everything that was made
	rm -rf .cache

environment:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and $(PYTHON) is not: try make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) tests/tools/environments.py
