#!/bin/sh
# The whole suite: the quick suites in parallel while the programs of the cluster suite build, then the cluster suite.
#
# The last process is pytest. It counts the quick suites in (tests/support/tally.py), so its closing line and its exit
# code speak for everything.
set -u
cd "$(dirname "$0")/.."
python=.venv/bin/python
cache=.cache/test
mkdir -p "$cache"
rm -f "$cache/tally.json"

"$python" -u -m tests.cluster.rig.build >"$cache/build.log" 2>&1 &
build=$!
trap 'kill "$build" 2>/dev/null' EXIT
trap 'exit 130' INT TERM

"$python" -m pytest -p tests.support.tally --tally-to="$cache/tally.json" \
    --numprocesses="${PERIPLUS_TEST_WORKERS:-2}" --dist=worksteal -m "not cluster" tests

while kill -0 "$build" 2>/dev/null; do
    echo "test: building the programs of the cluster suite: $(tail -n 1 "$cache/build.log")"
    sleep 10
done
wait "$build" || echo "test: not all programs could be built; the cluster suite will say so"
tail -n 15 "$cache/build.log"
trap - EXIT

exec "$python" -m pytest -p tests.support.tally --tally-from="$cache/tally.json" -m cluster tests/cluster
