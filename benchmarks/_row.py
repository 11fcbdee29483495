"""What every benchmark prints as its last line: one JSON object."""

import json
import os
import platform
from collections.abc import Mapping


def report(row: str, measured: Mapping[str, float], target: Mapping[str, float]) -> bool:
    """Print the row's result; ok when every targeted figure is at most its target (`min_` figures: at least)."""
    ok = all(
        measured[name] >= bound if name.startswith("min_") else measured[name] <= bound
        for name, bound in target.items()
    )
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(json.dumps({"row": row, "ok": ok, "measured": dict(measured), "target": dict(target), "machine": machine}))
    return ok
