SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
LOCKED := requirements/sync.sh requirements/uv.txt requirements/dev.txt \
          contract/pyproject.toml hub/pyproject.toml spoke-agent/pyproject.toml

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.stamp ## Make .venv from the locked requirements (skipped when nothing changed)

.venv/.stamp: $(LOCKED)
	@echo "setup: making .venv from requirements/dev.txt"
	@PYTHON="$(PYTHON)" sh requirements/sync.sh
	@touch $@
