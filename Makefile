# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
# four on two cores: a third of the time a test waits for a silence or for esptool's pauses
WORKERS ?= 4
PARALLEL = -n $(WORKERS) --dist worksteal

unexport PYTHONDONTWRITEBYTECODE  # hundreds of processes start from these sources

.DEFAULT_GOAL := help
.PHONY: doctor board console chip flash app burn erase backup restore inspect image mip monitor repl help setup demo line-demo lint test picture bench soak lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# all that is fetched has its hash in a lock: pip and the build tools first, then the rest with nothing but these
INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation

$(STAMP): requirements-install.lock requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "aliot needs Python 3.11 or later; '$(PYTHON)' is older. Say PYTHON=python3.11."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	$(INSTALL) -r requirements-install.lock
	$(INSTALL) -r requirements.lock
	@touch $@

setup: $(STAMP)  ## the virtual environment, the MicroPython interpreter, umqtt.simple
	@$(PY) -m tools interpreter

demo: setup  ## every way in, on emulated boards, in half a minute
	@$(PY) -m tools demo

line-demo: setup  ## a production line without hardware: eight boards, two faults, a dead station
	@$(PY) -m tools line demo $(ARGS)

# make tells names by case: PORT=, never port=
CAPITALS = port:PORT board:BOARD firmware:FIRMWARE root:ROOT cert:CERT config:CONFIG files:FILES backup:BACKUP \
  image:IMAGE qemu:QEMU parts:PARTS args:ARGS python:PYTHON workers:WORKERS
in_capitals = $(if $(findstring command,$(origin $(1))),$(error say $(2)=$($(1)) in capitals; $(1)= is not heard))
$(foreach pair,$(CAPITALS),$(call in_capitals,$(firstword $(subst :, ,$(pair))),$(lastword $(subst :, ,$(pair)))))

# ROOT as --root of each file: blanks separate files, unless the whole is the name of one
ROOT_ARGS = $(if $(shell test -f '$(ROOT)' && echo one),--root '$(ROOT)',$(foreach root,$(ROOT),--root '$(root)'))

# a plugged-in board: PORT, BOARD, FIRMWARE, CERT, CONFIG and FILES are all optional, ROOT may name several files
BOARD_ARGS = $(if $(PORT),--port '$(PORT)') $(if $(BOARD),--board '$(BOARD)')
FILE_ARGS = $(if $(FIRMWARE),--firmware '$(FIRMWARE)') $(ROOT_ARGS) \
  $(if $(CERT),--cert '$(CERT)') $(if $(CONFIG),--config '$(CONFIG)') $(if $(FILES),--files '$(FILES)')

board: setup  ## an emulated ESP32 on a free port, an emulated cloud beside it, its console in a browser: FILES=
	@$(PY) -m tools board --memory --flash build/board/flash.bin --efuses build/board/efuses.bin --play build/board --console \
	  $(if $(FILES),--files '$(FILES)') $(ARGS)

console: setup  ## an emulated cloud with example products; prints the address of its console for a browser
	@$(PY) -m tools cloud --config tools/emulator/cloud/examples.toml --run-dir build/cloud --console $(ARGS)

chip: $(STAMP)  ## our flash files on a QEMU with ESP32 and Wi-Fi, if you have one: QEMU= FIRMWARE=
	@$(PY) -m tools chip $(if $(QEMU),--qemu '$(QEMU)') $(if $(FIRMWARE),--firmware '$(FIRMWARE)') $(ARGS)

flash: $(STAMP)  ## a board from blank to running, or up to date again: PORT= BOARD= FIRMWARE= ROOT= CERT=
	@$(PY) -m tools flash $(BOARD_ARGS) $(FILE_ARGS) $(ARGS)

app: $(STAMP)  ## only the files of a board: PORT= FILES=
	@$(PY) -m tools flash --app $(BOARD_ARGS) $(FILE_ARGS) $(ARGS)

burn: $(STAMP)  ## one board's identity: PORT= CERT=
	@$(PY) -m tools burn $(BOARD_ARGS) $(if $(CERT),--cert '$(CERT)') $(ARGS)

erase: $(STAMP)  ## a board's whole flash, after its identity was saved: PORT=
	@$(PY) -m tools erase $(BOARD_ARGS) $(ARGS)

backup: $(STAMP)  ## a board's identity into a file: PORT=
	@$(PY) -m tools backup $(BOARD_ARGS) $(ARGS)

restore: $(STAMP)  ## an identity from a backup back onto its board: PORT= BACKUP=
	@$(PY) -m tools restore $(BOARD_ARGS) $(if $(BACKUP),--from '$(BACKUP)') $(ARGS)

doctor: $(STAMP)  ## what is wrong on the way to the platform: PORT= (from the board) or CERT= (from here)
	@$(PY) -m tools doctor $(if $(PORT),--port '$(PORT)',$(if $(CERT),'$(CERT)')) $(ARGS)

inspect: $(STAMP)  ## what a board or an image holds, secrets masked: PORT= or IMAGE=
	@$(PY) -m tools inspect $(if $(IMAGE),'$(IMAGE)') $(BOARD_ARGS) $(ARGS)

image: $(STAMP)  ## one merged .bin for factories, to be written at 0: BOARD= FIRMWARE= CERT= ROOT= CONFIG= FILES=
	@$(PY) -m tools image --firmware '$(or $(FIRMWARE),pinned)' $(if $(BOARD),--board '$(BOARD)') $(if $(CERT),--cert '$(CERT)') \
	  $(ROOT_ARGS) $(if $(CONFIG),--config '$(CONFIG)') $(if $(FILES),--files '$(FILES)') $(ARGS)

mip: setup  ## the release as a package for `mpremote mip install --target /`: build/mip
	@$(PY) -m tools mip $(ARGS)

monitor: $(STAMP)  ## a board's console: PORT=
	@$(PY) -m tools monitor $(if $(PORT),--port '$(PORT)') $(ARGS)

repl: $(STAMP)  ## a board's REPL, by mpremote: PORT=
	@$(PY) -m tools repl $(if $(PORT),--port '$(PORT)') $(ARGS)

lint: $(STAMP)  ## how the code is written, and its types: ruff and mypy
	@$(PY) -m ruff check --quiet
	@$(PY) -m ruff format --check --quiet || { echo "write it anew: $(PY) -m ruff format"; exit 1; }
	@$(PY) -m mypy

test: setup  ## all host tests, on CPython and on MicroPython, and the console in Chromium
	@$(PY) -m host_tests.support.browser
	@$(MAKE) --no-print-directory lint
	$(PY) -m pytest $(PARALLEL)

picture: setup  ## the picture of the console in the README, taken anew
	@$(PY) -m host_tests.support.browser
	@$(PY) -m host_tests.support.cloud.picture

bench: setup  ## figures side by side, with their bounds: PARTS='link heap'
	@$(PY) -m tools bench $(PARTS) $(ARGS)

# campaigns of random input: their figures are printed at the end
SOAKED = $(addprefix host_tests/,$(addprefix system/,boots/test_power_cuts.py boots/test_received.py boots/test_day.py x509/test_parsers.py ota/test_fleet.py) \
  $(addprefix firmware/,test_parsers.py test_outbox.py test_model.py test_ota.py) image/test_nvs.py \
  $(addprefix emulator/,cloud/test_codec.py cloud/test_fuzz.py board/test_nvs.py))

soak: setup  ## the long campaigns: 13,000 power cuts, a million fuzzed inputs, months of session time, 9,900 lives of updates; ALIOT_CAMPAIGN=
	ALIOT_CAMPAIGN=$${ALIOT_CAMPAIGN:-165} $(PY) -m pytest $(PARALLEL) --timeout 86400 --durations 20 $(SOAKED)

LOCK = uv pip compile --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
  --no-emit-find-links --upgrade

lock:  ## pin the dependencies again, with hashes
	$(PYTHON) -m pip install --quiet uv
	$(LOCK) --group install -o requirements-install.lock
	$(LOCK) --group test pyproject.toml -o requirements.lock

clean:  ## what setup and the tests made
	rm -rf $(VENV) .cache .pytest_cache .hypothesis build
