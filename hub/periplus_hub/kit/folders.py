"""Where things are on this machine unless told otherwise."""

import os
from pathlib import Path


def default_data_dir() -> Path:
    """Where a hub on this machine keeps everything."""
    if os.geteuid() == 0:
        return Path("/var/lib/periplus")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "periplus"
