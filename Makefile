# Every recipe does its own set-up: a virtual environment in .venv, nothing global.
# `make help` lists what there is.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SOURCES := src tests bench tools

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types contracts docs fix requirements image-check bench chaos vllm clean

help: ## list the recipes
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready ## make .venv with healing-eval and all tools in it

$(VENV)/.ready: pyproject.toml requirements/dev.txt requirements/build.txt tools/make-venv.sh
	@PYTHON="$(PYTHON)" sh tools/make-venv.sh "$(VENV)"
	@touch $@

demo: setup ## evaluate about 300 sample conversations and print the report
	@$(BIN)/healing-eval demo --exit

test: setup $(VENV)/.servers ## run all tests, on real servers where they can be had
	@$(BIN)/pytest --numprocesses 2 --dist loadfile

$(VENV)/.servers: $(VENV)/.ready tools/install-servers.sh
	@if sh tools/install-servers.sh; then touch $@; fi

check: lint types contracts test ## everything CI does

lint: setup
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)

types: setup
	@$(BIN)/pyright

contracts: setup
	@$(BIN)/lint-imports

docs: setup ## write the reference pages from the code
	@$(BIN)/python tools/make_reference.py

fix: setup ## format, and mend what the linter can
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

requirements: setup ## pin all dependencies anew, with hashes
	@sh tools/pin-requirements.sh

image-check: setup ## build and start what deploy/Dockerfile makes, without Docker and with the network cut
	@$(BIN)/python tools/check_image.py

bench: setup ## print every figure we claim (minutes; HEALING_EVAL_REALDATA_DIR adds those on real data)
	@$(BIN)/python -m bench

chaos: setup $(VENV)/.servers ## break every part on purpose, and count what is lost (half an hour)
	@sh tools/install-servers.sh faketime
	@$(BIN)/python -m bench.chaos

vllm: setup ## ask a real vLLM with a tiny random model (VLLM=a Python that has vLLM, see CONTRIBUTING.md)
	@test -n "$(VLLM)" || { echo "say where: make vllm VLLM=FOLDER/bin/python; CONTRIBUTING.md says how to make it"; exit 2; }
	@HEALING_EVAL_VLLM="$(VLLM)" $(BIN)/pytest -m vllm

clean: ## remove what the recipes made
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache .hypothesis
