# There is one virtual environment per major of Elasticsearch and its client, .venv/9 and .venv/8.
# `make test ELASTICSEARCH_MAJOR=8` runs all tests with the 8.x client against Elasticsearch 8.x.

PYTHON3 ?= python3

ifneq ($(shell $(PYTHON3) -c 'import sys; print(sys.version_info >= (3, 11))'),True)
$(error $(PYTHON3) must be Python 3.11 or newer; set another one with PYTHON3=...)
endif
ifndef ELASTICSEARCH_MAJOR
# Only `make run` contacts the cluster of ELASTICSEARCH_URL, to ask which client it takes. Before GNU make 4.4, arguments
# of make do not reach $(shell) by themselves.
ELASTICSEARCH_MAJOR := $(shell ELASTICSEARCH_URL='$(ELASTICSEARCH_URL)' \
    $(PYTHON3) -m scripts.elasticsearch --major $(if $(filter run,$(MAKECMDGOALS)),--ask))
endif
ifeq ($(filter 8 9,$(ELASTICSEARCH_MAJOR)),)
$(error ELASTICSEARCH_MAJOR must be 8 or 9)
endif
export ELASTICSEARCH_MAJOR

VENV := .venv/$(ELASTICSEARCH_MAJOR)
PYTHON := $(VENV)/bin/python
PIP_INSTALL = $(PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/.runtime $(if $(filter-out 0 false,$(TRACING)),$(VENV)/.tracing) ## Run the service, with an Elasticsearch unless ELASTICSEARCH_URL is set (HOST, PORT, WORKERS, THREADS)
	@exec $(PYTHON) -m scripts.run

# Each worker starts its own Elasticsearch, so a selection of tests, or a given cluster, runs with one.
TEST_WORKERS ?= $(if $(ARGS)$(TEST_ELASTICSEARCH_URL),0,2)

.PHONY: test
test: $(VENV)/.dev ## Run all tests against a real Elasticsearch (ARGS='-k name' goes to pytest; TEST_WORKERS)
	@exec $(PYTHON) -m pytest -n $(TEST_WORKERS) $(ARGS)

# 30s, 10m, 1h: how long each suite puts its load on the service.
DURATION ?= 10m

.PHONY: soak
soak: $(VENV)/.dev ## Run the suites of faults, crashes, failover and clocks for DURATION each, such as 1h (ARGS, SOAK_SEED)
	@SOAK_SECONDS=$$(($(subst h,*3600,$(subst m,*60,$(subst s,,$(DURATION)))))) \
	    exec $(PYTHON) -m pytest -n 0 -s tests/soak $(ARGS)

.PHONY: coverage
coverage: $(VENV)/.dev ## Run all tests and report the lines of app/ and cli/ that were not run; fails under 95 % (ARGS, TEST_WORKERS)
	@$(PYTHON) -m coverage erase
	@$(PYTHON) -m coverage run -m pytest -n $(TEST_WORKERS) $(ARGS)
	@$(PYTHON) -m coverage combine --quiet
	@$(PYTHON) -m coverage report

.PHONY: check
check: $(VENV)/.dev ## Check format, lint, types and import contracts
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

.PHONY: bench
bench: $(VENV)/.dev ## Measure the service (ARGS goes to the benchmark)
	@exec $(PYTHON) -m scripts.bench $(ARGS)

.PHONY: screenshots
screenshots: $(VENV)/.dev ## Take the pictures of the page that the documentation shows (needs Chromium)
	@exec $(PYTHON) -m scripts.screenshots

.PHONY: format
format: $(VENV)/.dev ## Format the code and apply automatic fixes
	@$(VENV)/bin/ruff check --fix
	@$(VENV)/bin/ruff format

.PHONY: lock
lock: .venv/lock/.uv ## Pin all requirements again (ARGS=--upgrade for newer ones)
	@for major in 9 8; do \
	    echo "elasticsearch<$$((major + 1))" | $(COMPILE) --group service pyproject.toml - -o requirements/runtime-$$major.txt && \
	    $(COMPILE) --group tracing -c requirements/runtime-$$major.txt -o requirements/tracing-$$major.txt && \
	    $(COMPILE) --group dev pyproject.toml -c requirements/runtime-$$major.txt -c requirements/tracing-$$major.txt \
	        -o requirements/dev-$$major.txt || exit 1; \
	done

.PHONY: secrets-key
secrets-key: $(VENV)/.runtime ## Print a new key for SECRETS_KEYS
	@exec $(PYTHON) -m scripts.secrets key

.PHONY: secrets-rotate
secrets-rotate: $(VENV)/.runtime ## Encrypt all stored secrets with the first key of SECRETS_KEYS
	@exec $(PYTHON) -m scripts.secrets rotate

.PHONY: image
image: ## Build the service's image, connector-sync-service (ARGS goes to docker build)
	@exec docker build --tag connector-sync-service --build-arg ELASTICSEARCH_MAJOR=$(ELASTICSEARCH_MAJOR) $(ARGS) .

.PHONY: base-image
base-image: | $(PYTHON) ## Build that image's base images from Debian's packages, without a registry
	@exec $(PYTHON) -m scripts.offline.base_image

.PHONY: elasticsearch-image
elasticsearch-image: ## Build an Elasticsearch image for ES_IMAGE, without a registry
	@exec $(PYTHON3) -m scripts.offline.elasticsearch_image

.PHONY: test-image-python
test-image-python: base-image ## Run the unit tests with the Python of the service's image, in a container (ARGS goes to pytest)
	@tar --create --exclude='./.*' . | docker run --rm --interactive connector-sync-service/builder sh -ec ' \
	    cat >/checkout.tar; python3 -m tarfile --filter=data --extract /checkout.tar /checkout; cd /checkout; \
	    python3 -m venv .venv; \
	    .venv/bin/pip install --quiet --no-compile --require-hashes --requirement requirements/dev-$(ELASTICSEARCH_MAJOR).txt; \
	    exec .venv/bin/python -m pytest tests/unit $(ARGS)'

.PHONY: clean
clean: ## Remove the virtual environments and all caches (not the data of `make run`)
	rm -rf .venv .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --universal: one file for all supported Pythons and platforms. No addresses of indexes: each machine has its own.
COMPILE = .venv/lock/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS)

$(VENV)/.runtime: requirements/runtime-$(ELASTICSEARCH_MAJOR).txt | $(PYTHON)
	@echo "Installing the service's requirements into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r $<
	@touch $@

$(VENV)/.tracing: requirements/tracing-$(ELASTICSEARCH_MAJOR).txt $(VENV)/.runtime
	@echo "Installing the requirements of TRACING into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r $<
	@touch $@

$(VENV)/.dev: requirements/dev-$(ELASTICSEARCH_MAJOR).txt | $(PYTHON)
	@echo "Installing the requirements for development into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r $<
	@touch $(VENV)/.runtime $(VENV)/.tracing $@  # these include the others

.venv/lock/.uv: | .venv/lock/bin/python
	@.venv/lock/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@touch $@

.venv/%/bin/python:
	@$(PYTHON3) -c 'import ensurepip' 2>/dev/null || \
	    { echo "$(PYTHON3) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON3) -m venv .venv/$*
