# Needs only python3 (3.11 or later) with venv, make and a compiler; everything else goes into .venv.

PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
# Says that VENV holds what pyproject.toml and constraints.txt ask for.
STAMP := $(VENV)/.installed
PROTOS := $(sort $(wildcard protos/mesh/v1/*.proto))
PROTOS_WITH_SERVICES := $(shell grep -l '^service ' $(PROTOS))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check proto proto-check bench sim clean

help: ## Say what the targets do
	@echo "usage: make TARGET [PYTHON=python3] [VENV=.venv] [ARGS='more for pytest or bench']"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(STAMP) ## Serve handwritten digits with a canary, promote it under load, report
	@$(BIN)/python deploy/examples/digits/demo.py

test: $(STAMP) ## Run the tests
ifeq ($(strip $(ARGS)),)
	@$(BIN)/python -m pytest -m "not ray" -n auto --maxprocesses 8 --dist loadfile; apart=$$?; \
	echo "tests on a real Ray, one after the other"; \
	$(BIN)/python -m pytest -m ray && exit $$apart
else
	@$(BIN)/python -m pytest $(ARGS)
endif

check: $(STAMP) proto-check ## Lint, types, import directions, generated code
	@echo "ruff check" && $(BIN)/ruff check --quiet
	@echo "ruff format --check" && $(BIN)/ruff format --quiet --check
	@echo "mypy" && $(BIN)/mypy
	@echo "import directions" && $(BIN)/python -m pytest tests/test_imports.py

# Clients of the Open Inference Protocol register its names with the process's pool of protos.
# Ours are in a pool of their own, so that a process may have both.
APART := mesh/v1/open_inference_pb2.py

# $(call generate,FOLDER) writes the Python of all protos below FOLDER.
generate = $(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=$(1) --pyi_out=$(1) $(PROTOS) \
	&& $(BIN)/python -m grpc_tools.protoc -Iprotos --grpc_python_out=$(1) $(PROTOS_WITH_SERVICES) \
	&& sed -i 's/_descriptor_pool\.Default()/_descriptor_pool.DescriptorPool()/' $(1)/$(APART)

proto: $(STAMP) ## Regenerate mesh/v1 from protos
	@echo "generating mesh/v1"
	@rm -f mesh/v1/*_pb2.py mesh/v1/*_pb2.pyi mesh/v1/*_pb2_grpc.py
	@$(call generate,.)

proto-check: $(STAMP) ## Fail unless mesh/v1 is what the protos generate
	@echo "generated code"
	@new=$$(mktemp -d) && trap 'rm -rf "$$new"' EXIT && $(call generate,"$$new") \
	&& diff -rq -x __init__.py -x __pycache__ mesh/v1 "$$new/mesh/v1" \
	|| { echo "mesh/v1 is not what protos generate: run make proto" >&2; exit 1; }

bench: $(STAMP) ## Compare the mesh with bare servers on this machine
	@$(BIN)/python -m tests.bench $(ARGS)

sim: $(STAMP) ## Run the control plane over a cluster in memory, in virtual time
	@$(BIN)/python -m tests.simulate $(ARGS)

clean: ## Remove everything that the other targets made
	@echo "removing $(VENV), caches and reports"
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		bench-results.json
	@find mesh gateway tests deploy -name __pycache__ -type d -prune -exec rm -rf {} +

# The build's own requirements are pinned too: by the first variable for an older pip, by the
# second for a newer one.
$(STAMP): pyproject.toml constraints.txt
	@echo "installing into $(VENV) (a few minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)
	@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt $(BIN)/python -m pip \
		install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
