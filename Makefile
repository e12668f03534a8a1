# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything that make creates is below .cache/. To use another Python: make PYTHON=python3.12 …
PYTHON ?= python3
VENV := .cache/venv/bin
STAGES := unit lab-test hostile faults rulebooks lint sanity integration system report oci-clients rotation fuzz awx clients

.PHONY: help demo test $(STAGES) bench docs galaxy build release clean environment
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: environment ## run the playbooks against a simulated Artifactory and Chainguard
	@$(VENV)/python tests/demo

test: environment ## run the targets from unit to rotation, the short ones first, and count the checks
	@$(VENV)/python tests/tools/run_tests.py

unit: ## unit tests of plugins/ with coverage, and once on each supported ansible-core
lab-test: ## tests of the simulated services
hostile: ## the transport and its clients against a server that misbehaves
faults: ## the diagnosis of each fault of a catalog, and a table of what was found
rulebooks: ## the rulebooks of extensions/eda in ansible-rulebook, with recorded events; needs Java 17
lint: ## licenses, glossary, black, ruff, mypy, ansible-lint, antsibull, the documentation site, galaxy-importer
sanity: ## ansible-test sanity on the oldest, a middle, and the newest ansible-core
fuzz: ## the property tests with 2,000 random examples for each call; takes about half an hour, and is not a part of make test
integration: ## ansible-test integration against the simulated services; TARGET=name for one target
system: ## the role, the playbooks, and real clients against the simulated services
report: ## the report of the role: what it says, in a browser, and as metrics
oci-clients: ## images and charts with crane, oras and helm, which it builds once with go
rotation: ## pull token rotation: hundreds of runs, with one line for each scenario
awx: ## each survey of extensions/awx with each kind of entries and credentials, on two releases of ansible-core; not a part of make test
clients: ## crane, oras, regctl, helm, containerd and Yarn, which it installs, with the simulated services; not a part of make test
$(STAGES): environment
	@$(VENV)/python tests/tools/run_tests.py $@ $(addprefix --target ,$(TARGET))

bench: environment ## run each benchmark in tests/benchmark/
	@set -e; for script in tests/benchmark/[a-z]*.py; do $(VENV)/python "$$script"; done

docs: environment ## build the documentation site in .cache/site/html, and check its links
	@$(VENV)/python tests/tools/build_site.py

galaxy: environment ## publish to a server with the API of Galaxy, install and upgrade from it, and run all playbooks; needs PostgreSQL, and is not a part of make test
	@$(VENV)/python tests/tools/check_galaxy.py

build: environment ## build the file that ansible-galaxy collection install takes
	@$(VENV)/python tests/tools/build.py

release: environment ## set VERSION=, write the changelog, build, commit, and tag; publishes nothing
	@$(VENV)/python tests/tools/release.py $(VERSION)

clean: ## remove .cache/
	rm -rf .cache

environment:
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) is not installed. Python 3.11 or newer is required."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than Python 3.11. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) tests/tools/environments.py
