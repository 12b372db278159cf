# Every target does its own set-up: a virtual environment in .venv with the versions of constraints.txt.
# Needs Python 3.11, pip's package index and a C compiler (iisignature is built from source).

PYTHON ?= python3.11
PYTEST_ARGS ?=
PROCESSES ?= 2
PYTHON_GPU ?=
OUT ?= benchmarks/results
GPU_ARGS ?=

BIN := .venv/bin
# each process has one thread: many short calls of torch wait long for a second one that has no core of its own
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
READY := .venv/.ready
READY_BENCH := .venv/.ready-bench
READY_DOCS := .venv/.ready-docs
SITE := build/docs
NOT_COMPILED := tests/test_intervals.py -k "sums_are or features_are"

.PHONY: help demo test lint adapters coverage docs bench gpu clean
.DEFAULT_GOAL := help
.NOTPARALLEL:

help:
	@echo "make demo   grid search over iterated-sums features on two data sets"
	@echo "make test   lint, then the test suite, in PROCESSES processes, 2 (PYTEST_ARGS is passed on)"
	@echo "make lint   format, style, spelling, types, direction of imports, known vulnerabilities"
	@echo "make adapters  sktime's and aeon's checks of every adapter; make test has those of some"
	@echo "make coverage  lines and branches of sigfeat that the test suite runs (PYTEST_ARGS is passed on)"
	@echo "make docs   the documentation site, with the gallery, and its links checked"
	@echo "make bench  time the kernels against iisignature and pySigLib"
	@echo "make gpu    on a machine with an NVIDIA GPU: its tests, transforms and mixers on it, in at most 8 minutes"
	@echo "            (writes OUT/gpu.json, OUT=benchmarks/results; PYTHON_GPU is the interpreter, whose torch has CUDA)"
	@echo "make clean  remove what the other targets made, except .venv"

demo: $(READY)
	$(BIN)/python examples/demo.py

# loops are compiled once, beside the linters, rather than by each process of the tests
test: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.loops & loops=$$!; \
	$(MAKE) --no-print-directory lint && $(PYTEST) $(PYTEST_ARGS); tested=$$?; \
	kill $$loops 2>/dev/null; exit $$tested

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	@# the audit waits for the network, up to a minute, while the others compute
	$(BIN)/python .ci/audit.py & audit=$$!; $(BIN)/mypy && $(BIN)/lint-imports; checked=$$?; wait $$audit && exit $$checked

adapters: $(READY)
	SIGFEAT_ALL_CHECKS=1 $(PYTEST) tests/test_adapters.py $(PYTEST_ARGS)

# The bodies of compiled loops are not seen. Loops that call intrinsics, which are instructions of LLVM, have no Python
# form; the Python that emits these instructions runs at each compilation, hence an empty cache. The others, the sums
# over intervals, run once more without compilation.
coverage: $(READY)
	rm -rf build/coverage
	NUMBA_CACHE_DIR=build/coverage/numba OMP_NUM_THREADS=1 $(BIN)/python -m coverage run -m pytest -n $(PROCESSES) \
		--dist worksteal $(PYTEST_ARGS)
	NUMBA_DISABLE_JIT=1 OMP_NUM_THREADS=1 $(BIN)/python -m coverage run -m pytest -q $(NOT_COMPILED)
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage html -q
	$(BIN)/python -m coverage report

docs: $(READY_DOCS)
	$(BIN)/python -m sphinx -b html -W --keep-going -d build/doctrees docs $(SITE)
	$(BIN)/python docs/check_site.py $(SITE)
	@echo "the site: $(SITE)/index.html"

bench: $(READY_BENCH)
	$(BIN)/python -m benchmarks.speed iss tree low_rank development mixers intervals quantiles

# Uses PYTHON_GPU, or the first of .venv/bin/python and python3 whose torch finds a GPU. The set-up runs only where
# there is a GPU and no .venv, since a CPU build of torch in .venv would stay the same.
gpu:
	@finds_gpu() { "$$1" -c "import sys, torch; sys.exit(not torch.cuda.is_available())" 2>/dev/null; }; \
	python="$(PYTHON_GPU)"; \
	for found in $(BIN)/python python3; do \
		if [ -z "$$python" ] && finds_gpu $$found; then python=$$found; fi; \
	done; \
	if [ -z "$$python" ] && [ ! -e .venv ] && nvidia-smi -L >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory $(READY) && python=$(BIN)/python || exit 1; \
	fi; \
	if [ -z "$$python" ]; then echo "no Python was found whose torch finds a CUDA device: nothing was run or written."; \
	else "$$python" -m benchmarks.gpu --out "$(OUT)" $(GPU_ARGS); fi

clean:
	rm -rf docs/api/examples docs/api/generated docs/gallery docs/generated docs/sg_execution_times.rst
	rm -rf build dist *.egg-info examples/output .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find sigfeat tests examples benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# torch comes first, so that no other package's requirement can pick another version of it. iisignature needs
# numpy to build and does not say so, hence no build isolation; a wheel of it that was built against another
# numpy may lie in the cache, hence no cache.
$(READY): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) torch
	$(PIP_INSTALL) numpy setuptools wheel
	$(PIP_INSTALL) --no-build-isolation --no-cache-dir iisignature
	$(PIP_INSTALL) --no-build-isolation -e ".[dev,all]"
	@touch $@

$(READY_BENCH): $(READY)
	$(PIP_INSTALL) --no-build-isolation -e ".[bench]"
	@touch $@

$(READY_DOCS): $(READY)
	$(PIP_INSTALL) --no-build-isolation -e ".[docs]"
	@touch $@

$(BIN)/python:
	$(PYTHON) -m venv .venv
