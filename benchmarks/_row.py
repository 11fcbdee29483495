"""What every benchmark prints as its last line: one JSON object."""

import json
import os
import platform
import time
from collections.abc import Mapping


def report(row: str, measured: Mapping[str, float], target: Mapping[str, float]) -> bool:
    """Print the row's result; ok when every targeted figure is at most its target (`min_` figures: at least)."""
    ok = all(
        measured[name] >= bound if name.startswith("min_") else measured[name] <= bound
        for name, bound in target.items()
    )
    result = {"row": row, "ok": ok, "measured": dict(measured), "target": dict(target), "machine": machine()}
    print(json.dumps(result))
    return ok


def machine() -> dict[str, str | int]:
    """Where it was measured. `python_ms` times one plain loop, so that figures of two machines can be compared."""
    began = time.perf_counter()
    for _ in range(10_000_000):
        pass
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "architecture": platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(memory_bytes / 2**30),
        "python": platform.python_version(),
        "python_ms": round((time.perf_counter() - began) * 1_000),
    }
