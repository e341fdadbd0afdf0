# Everything that is done with this repository. Each target sets up what it needs by itself.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.set-up
PYTEST_ARGS ?=
RUNS ?= 3000
ROUNDS ?= 16
BENCH ?=
BENCH_ARGS ?=
LOAD_SECONDS ?= 120
SOAK_SECONDS ?= 3600
LOAD_ARGS ?=

# What was compiled is kept, whatever the machine says: each process would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test chaos hosts races check bench load soak pictures site format

help:  ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements.lock deploy/set_up.sh
	@deploy/set_up.sh $(VENV)

demo: $(READY)  ## Run the whole product on this machine (PORT=8000, COUNTERSIGN_DATA_DIR=.countersign)
	@$(BIN)/python manage.py demo

demo-reset: $(READY)  ## Forget the demo's data
	@$(BIN)/python manage.py demo --forget

test: $(READY)  ## Run every test, on real PostgreSQL, Redis and a real browser
	@deploy/find_chromium.sh $(VENV)
	@$(BIN)/python -m pytest -n 3 --maxschedchunk 1 $(PYTEST_ARGS)

chaos: $(READY)  ## Kill processes under thousands of runs and count what was lost (RUNS=3000, CHAOS_ARGS=--seed 1)
	@$(BIN)/python -m tests.faults.chaos --runs $(RUNS) $(CHAOS_ARGS)

hosts: $(READY)  ## Several hosts in network namespaces, cut off, killed and replaced under load (as root; HOSTS_ARGS=cut_worker)
	@$(BIN)/python -m tests.hosts $(HOSTS_ARGS)

races: $(READY)  ## Run every race of two processes hundreds of times (ROUNDS=16 times as often as the suite does)
	@RACE_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -n 2 tests/invariants/test_races.py \
		tests/faults/test_switch_races.py tests/faults/test_told_races.py tests/faults/test_child_races.py tests/agents/test_races.py \
		tests/approvals/test_races.py tests/approvals/test_batch_races.py \
		tests/approvals/test_tightening.py tests/approvals/test_gate_properties.py

check: $(READY)  ## Format, lint, types, import directions, migrations, deployment settings
	@deploy/check.sh $(VENV)

bench: $(READY)  ## Measure beside LangGraph, DBOS and Prefect (BENCH_ARGS="--burst 100"), or one part (BENCH=evidence, gate, sealing, streaming)
	@$(BIN)/python -m benchmarks$(if $(BENCH),.$(BENCH)) $(BENCH_ARGS)

load: $(READY)  ## Reviewers and programs by the dozen over pages, sockets and API (LOAD_SECONDS=120, LOAD_ARGS="--reviewers 50 --runs 2")
	@$(BIN)/python -m benchmarks.load --seconds $(LOAD_SECONDS) $(LOAD_ARGS)

soak: $(READY)  ## The same, gently and for an hour: are memory, connections and file handles flat? (SOAK_SECONDS=3600)
	@$(BIN)/python -m benchmarks.load --seconds $(SOAK_SECONDS) --reviewers 20 --runs 0.5 $(LOAD_ARGS)

pictures: $(READY)  ## Make the pictures of the README and the documents anew, over the real product
	@$(BIN)/python -m pytest -q tests/pictures.py

site: $(READY)  ## Build the documentation as a site in .site, and say what does not fit in it
	@$(BIN)/python deploy/documentation.py

format: $(READY)  ## Bring code and templates into shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@find templates -name '*.html' -print0 | xargs -0 $(BIN)/djade --target-version 5.2
