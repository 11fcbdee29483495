# Everything a person does here; `make help` lists it. Continuous integration runs `check` and `test`, nothing else.
SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
LOCKED := requirements/sync.sh requirements/uv.txt requirements/dev.txt \
          contract/pyproject.toml hub/pyproject.toml spoke-agent/pyproject.toml

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.stamp ## Make .venv from the locked requirements (skipped when nothing changed)

.venv/.stamp: $(LOCKED)
	@echo "setup: making .venv from requirements/dev.txt"
	@PYTHON="$(PYTHON)" sh requirements/sync.sh
	@touch $@

.PHONY: demo
demo: setup ## Start a hub with a simulated fleet: where its addresses collide, and who talks to whom
	@$(BIN)/periplus demo

.PHONY: check
check: setup ## Lint, format, types, arrows and the house rules (a minute)
	@$(MAKE) --no-print-directory --keep-going lint format types arrows rules

# The parts of `check`; with --keep-going one red part does not hide the next.
.PHONY: lint format types arrows rules
lint: setup
	$(BIN)/ruff check
format: setup
	$(BIN)/ruff format --check
types: setup
	$(BIN)/mypy
arrows: setup
	$(BIN)/lint-imports --no-logo
rules: setup
	$(BIN)/python -m pytest --quiet tests/meta

.PHONY: test
test: setup ## Run every test; builds a control plane and Hubble meanwhile (first run: twenty minutes and more)
	@sh tests/run.sh

.PHONY: test-random
test-random: setup ## Run the properties with fresh seeds and ten times the examples
	@PERIPLUS_TEST_PROFILE=random $(BIN)/python -m pytest --numprocesses=$${PERIPLUS_TEST_WORKERS:-2} \
	    -m "hypothesis and not cluster" tests

.PHONY: bench
bench: setup ## List the measurements, or run one: make bench ROW=<name>
	@$(BIN)/python -m benchmarks$(if $(ROW),.$(ROW))

.PHONY: images
images: setup ## Build the container images, without a container engine; CHECK=1 twice, SIGN_KEY=<file> signs them
	@$(BIN)/python -m requirements.images $(if $(CHECK),--check) $(if $(SIGN_KEY),--sign-key "$(SIGN_KEY)")

.PHONY: images-verify
images-verify: setup ## Say whether dist/images is whole, signed and attested by KEY=<public key>
	@$(BIN)/python -m requirements.images --verify "$(KEY)"

.PHONY: images-pins
images-pins: setup ## Take the versions of Debian's packages that the mirror has now into the images
	@$(BIN)/python -m requirements.images --lock

.PHONY: docs
docs: setup ## Write the generated pages of docs/ again from the code
	@$(BIN)/python -m docs.build
