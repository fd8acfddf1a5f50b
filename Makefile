# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "aliot needs Python 3.11 or later; '$(PYTHON)' is older. Say PYTHON=python3.11."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

setup: $(STAMP)  ## the virtual environment, the MicroPython interpreter, umqtt.simple
	@$(PY) -m tools interpreter

demo: setup  ## every way in, on emulated boards, in half a minute
	@$(PY) -m tools demo

test: setup  ## all host tests, on CPython and on MicroPython
	$(PY) -m pytest -n $(WORKERS)

lock:  ## pin the dependencies again, with hashes
	$(PYTHON) -m pip install --quiet uv
	uv pip compile --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --no-emit-find-links --upgrade --group test pyproject.toml -o requirements.lock

clean:  ## what setup and the tests made
	rm -rf $(VENV) .cache .pytest_cache .hypothesis build
