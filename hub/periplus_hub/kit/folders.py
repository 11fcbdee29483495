"""Where things are on this machine unless told otherwise."""

import os
from pathlib import Path
from typing import Final

_SIGN_INS: Final = Path("periplus/sign-ins")
_NOWHERE: Final = Path("/nonexistent")


def default_data_dir() -> Path:
    """Where a hub on this machine keeps everything."""
    if os.geteuid() == 0:
        return Path("/var/lib/periplus")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "periplus"


def sign_ins_dir() -> Path:
    """Where a person's commands keep what they were given at a sign-in; no hub's folder, so that both may be here."""
    return (Path(os.environ["XDG_CONFIG_HOME"]) if os.environ.get("XDG_CONFIG_HOME") else _config()) / _SIGN_INS


def _config() -> Path:
    try:
        return Path.home() / ".config"
    except RuntimeError:  # an account without a home, as in a container: then there is no such folder
        return _NOWHERE
