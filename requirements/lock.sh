#!/bin/sh
# Resolve the pyproject files again into requirements/*.txt: versions and hashes, no registry address, no path.
#
# `requirements/lock.sh` keeps every version that still fits; `requirements/lock.sh --upgrade` takes the newest, and
# `requirements/lock.sh --upgrade-package NAME` takes the newest of one.
set -eu
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --no-emit-package periplus-contract --no-emit-package periplus-hub --no-emit-package periplus-spoke \
        "$@" >/dev/null
}

compile pyproject.toml --group dev --output-file requirements/dev.txt "$@"
compile hub/pyproject.toml --constraints requirements/dev.txt --output-file requirements/hub.txt
compile spoke-agent/pyproject.toml --constraints requirements/dev.txt --output-file requirements/spoke.txt
compile requirements/uv.in --output-file requirements/uv.txt "$@"
compile requirements/images/stores.in --no-deps --constraints requirements/dev.txt --output-file requirements/images/stores.txt
compile requirements/images/hatchling.in --constraints requirements/dev.txt --output-file requirements/images/hatchling.txt
