# `make` alone lists the commands. Everything they need is installed into the checkout, pinned by hash, when it is
# missing or its requirements have changed: .venv for the project, .local/venvs for tools with pins of their own.

PYTHON ?= python3

BIN := .venv/bin
DEV := .venv/.installed
EMULATOR := .local/venvs/emulator/.installed
SAM := .local/venvs/sam/.installed
BUILD := .aws-sam/build
SHARED := --numprocesses=auto --maxprocesses=4
SNAPSHOTS := $(BUILD)/snapstart.json

# An environment that forbids .pyc files would make every start of a function several times slower.
export PYTHONDONTWRITEBYTECODE :=
export SAM_CLI_TELEMETRY := 0
# All commands want a region, even where they ask nothing of AWS. Where to deploy is for the operator to say.
ifneq ($(MAKECMDGOALS),deploy)
export AWS_DEFAULT_REGION ?= us-east-1
endif
export UV_PYTHON_DOWNLOADS := never

.PHONY: help run demo test oracle check bench soak load validate build deploy diagram clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

run: $(DEV) $(EMULATOR) ## run the whole service on this machine until Ctrl-C (PORT_BASE=9000 moves its ports)
	@STOP_WITH_PARENT=1 exec $(BIN)/python -m local.stack

demo: $(DEV) $(EMULATOR) ## two people connect, share a slot and accept an invitation (UPSTREAM=cronofy: through Cronofy)
	@$(BIN)/python -m local.demo

test: $(DEV) $(EMULATOR) ## run the tests (ARGS="tests/unit -k merge" for some of them)
	@$(BIN)/python -m pytest -m "not oracle" $(or $(ARGS),$(SHARED))

oracle: $(DEV) ## compare random queries, and the hours of every zone, with the oracles
	@$(BIN)/python -m pytest -m oracle $(ARGS)

check: $(DEV) ## lint, formatting and types
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy
	@for app in functions/*/app.py; do $(BIN)/python -m mypy --no-error-summary $$app || exit 1; done

bench: $(DEV) $(EMULATOR) ## measure speed and memory, as ratios
	@$(BIN)/python -m benchmarks

soak: $(DEV) $(EMULATOR) ## change 1,000 events while mail fails and functions are killed, and check every calendar
	@$(BIN)/python -m benchmarks.soak

load: $(DEV) $(EMULATOR) ## 1 to 50 clients ask at once: throughput, p50, p99 and errors of the laptop stack
	@$(BIN)/python -m benchmarks.load

validate: $(SAM) ## check template.yaml
	@.local/venvs/sam/bin/sam validate --lint

build: $(SAM) ## build functions and layers into .aws-sam, and say how large they are (needs Python 3.13)
	@python=$$(local/runtime_python.sh) && \
	PATH="$$(dirname "$$python"):$$PATH" .local/venvs/sam/bin/sam build --build-dir $(BUILD) $(ARGS)
	@$(BIN)/python -m local.built $(BUILD)

deploy: $(SAM) ## build, and deploy with what samconfig.toml says (ARGS="--region eu-central-1": where; SNAPSTART=on: start from snapshots)
	$(if $(filter-out on off,$(SNAPSTART)),$(error SNAPSTART is on or off, and not "$(SNAPSTART)"))
	$(if $(findstring --region,$(ARGS))$(findstring --profile,$(ARGS)),,@grep -q '^region = ' samconfig.toml || \
	 .local/venvs/sam/bin/python -c 'import boto3, sys; sys.exit(not boto3.Session().region_name)' || \
	 { echo 'Which region? export AWS_DEFAULT_REGION=eu-central-1, or make deploy ARGS="--region eu-central-1"'; exit 1; })
	@$(MAKE) --no-print-directory build ARGS=
ifeq ($(SNAPSTART),on)
	@$(BIN)/python -m local.snapstart $(BUILD)/template.yaml > $(SNAPSHOTS)
	@.local/venvs/sam/bin/sam deploy --template-file $(SNAPSHOTS) --config-file "$(CURDIR)/samconfig.toml" $(ARGS)
else
	@.local/venvs/sam/bin/sam deploy $(ARGS)
endif

diagram: $(DEV) ## draw docs/architecture.svg from template.yaml
	@$(BIN)/python -m tests.template.diagram

clean: ## remove everything that these commands have made
	rm -rf .venv .local .aws-sam .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- What the commands need ---------------------------------------------------------------------------------------------

# $(call install,VENV,REQUIREMENTS): uv takes seconds where pip takes a minute, but it does not read pip's
# configuration, so that behind a company's own index pip has to do it.
define install
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(1)/bin/python $(2) || \
	 $(BIN)/python -m pip --python $(1)/bin/python install --quiet --no-deps --require-hashes $(addprefix -r ,$(2))
endef

$(DEV): requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	 { echo "Python 3.11 or newer is needed, and $(PYTHON) is not: try make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing the project into .venv ..."
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(call install,.venv,requirements/bootstrap.txt requirements/dev.txt)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(EMULATOR): requirements/aws-emulator.txt | $(DEV)
	@echo "Installing the AWS emulator into .local/venvs/emulator ..."
	@test -x .local/venvs/emulator/bin/python || $(BIN)/python -m venv --without-pip .local/venvs/emulator
	$(call install,.local/venvs/emulator,$<)
	@touch $@

$(SAM): requirements/sam.txt | $(DEV)
	@echo "Installing the SAM command line into .local/venvs/sam ..."
	@test -x .local/venvs/sam/bin/python || $(BIN)/python -m venv --without-pip .local/venvs/sam
	$(call install,.local/venvs/sam,$<)
	@touch $@
