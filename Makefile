# Bare `make` prints this menu.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup run demo test quick torture check lint types imports openapi openapi-check docs docs-check client-check format fuzz drill bench clean

help:  ## this menu
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

setup:  ## the virtual environment, from hashed locks (every other target does this by itself)
	@$(PYTHON) bootstrap.py

PORT ?= 8000

run: setup  ## everything on this machine: database, sandbox and its page, web, letterbox, settle, worker (PORT=8000)
	@$(BIN)/canbao run --port $(PORT)

demo: setup  ## one story end to end, without a browser; non-zero if anything disagrees
	@$(BIN)/canbao demo

test: setup  ## the whole suite
	@PYTHONHASHSEED=0 $(BIN)/python -m pytest -m "not full" -n 4 --kill-one-in 5 --dist loadfile --no-loadscope-reorder --durations 30

quick: setup  ## the suite without what takes more than a few seconds
	@$(BIN)/python -m pytest -m "not full and not slow" -x

torture: setup  ## 2,000 orders, 5,000 notices, everything killed five times
	@$(BIN)/python -m pytest -m full -s

check: setup lint types imports openapi-check docs-check  ## all that can be known without running anything

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup
	@$(BIN)/mypy

imports: setup
	@$(BIN)/lint-imports --no-logo

openapi: setup  ## write docs/reference/openapi.json anew
	@$(BIN)/canbao openapi

openapi-check: setup
	@$(BIN)/canbao openapi --check

docs: setup  ## write the pages that are made from the code anew
	@$(BIN)/python docs/generate.py

docs-check: setup
	@$(BIN)/python docs/generate.py --check

client-check:  ## the client for mini-programs: its types and its behaviour (needs Node.js and npm)
	@cd client && npm ci --silent && npm run --silent check && npm test --silent

format: setup  ## let the formatter and the safe fixes have their way
	@$(BIN)/ruff check --fix . || true
	@$(BIN)/ruff format .

FUZZ_SECONDS ?= 3600
FUZZED := $(patsubst tests/fuzz/seeds/%/,%,$(wildcard tests/fuzz/seeds/*/))

fuzz: setup  ## an hour of nonsense (FUZZ_SECONDS) for the whole document, and for each verifier and parser
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/fuzz.txt
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest -q tests/doors/test_door_fuzzed.py -o log_cli=false -rA --no-header
	@for target in $(FUZZED); do echo "$$target"; $(BIN)/python -m tests.fuzz.parsers $$target $(FUZZ_SECONDS) || exit 1; done

drill: setup  ## lose the database between two transactions, restore it to a moment, and reconcile what it forgot
	@$(BIN)/python -m pytest tests/deploy/test_restore_drill.py -q -s -rs -p no:randomly

bench: setup  ## how fast, as ratios within one run; a table and one line of JSON
	@$(BIN)/python -m bench

clean:  ## forget the virtual environment and the state of `make run`
	rm -rf .venv .canbao .fuzz
