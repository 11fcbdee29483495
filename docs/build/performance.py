"""docs/explain/performance.md: what is to hold, and what was measured: read from benchmarks/results/<row>.json."""
