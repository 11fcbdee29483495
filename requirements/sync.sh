#!/bin/sh
# Make .venv hold exactly what requirements/dev.txt locks, plus our three packages, editable.
#
# Needs nothing but a Python of a supported version. Package archives come from wherever pip on this machine is told
# to look (environment or pip.conf); the lock names versions and hashes only, so any mirror serves.
set -eu
cd "$(dirname "$0")/.."

supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))'
for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    "$python" -c "$supported" 2>/dev/null && break
    python=
done
if [ -z "$python" ]; then
    echo "setup: no Python 3.11, 3.12, 3.13 or 3.14 found; install one, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
fi
.venv/bin/python -c "$supported" 2>/dev/null || "$python" -m venv --clear .venv

# uv does not read pip's configuration, so hand over the three settings that decide whether it can download at all.
pip_setting() { .venv/bin/python -m pip config get "$1" 2>/dev/null || true; }
index=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$(pip_setting global.index-url)}}
cert=${SSL_CERT_FILE:-${PIP_CERT:-$(pip_setting global.cert)}}
links=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}
[ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
[ -z "$cert" ] || export SSL_CERT_FILE="$cert"
[ ! -d "$links" ] || export UV_FIND_LINKS="$links"
export UV_NO_PROGRESS=1 PIP_DISABLE_PIP_VERSION_CHECK=1

.venv/bin/python -m pip install --quiet --require-hashes --requirement requirements/uv.txt
uv() { .venv/bin/uv --no-config "$@" --python .venv/bin/python; }
# Compiled here once: where PYTHONDONTWRITEBYTECODE is set, every start would compile all it imports again.
uv pip sync --quiet --compile-bytecode --require-hashes requirements/uv.txt requirements/dev.txt || {
    echo "setup: uv could not install the lock; trying pip, which knows this machine's own settings" >&2
    .venv/bin/python -m pip install --require-hashes --requirement requirements/dev.txt
}
uv pip install --quiet --offline --no-index --no-deps --no-build-isolation \
    --editable contract --editable hub --editable spoke-agent
.venv/bin/python -m compileall -q contract hub spoke-agent migrations
