"""Files the hub leaves for whoever started it: where it listens, and the first admin token."""

import json
import os
from pathlib import Path
from typing import Final

from periplus_hub.access.service_tenants import make_admin_token
from periplus_hub.api.listeners import Listener
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.own_files import open_own, write_private

OF_THE_FILE: Final = "admin-token file"
"""What the token in the data folder is called."""


async def ensure_admin_token(db: Database, data_dir: Path | None) -> Path | None:
    """With an embedded store: the file with an admin token, made at the first start; else None."""
    if data_dir is None:
        return None
    path = data_dir / "admin-token"
    try:
        os.close(open_own(path, os.O_RDONLY))
    except FileNotFoundError:
        write_private(path, await make_admin_token(db, OF_THE_FILE) + "\n")
    except OSError as error:
        raise Refusal(f"{path} cannot be used: {error.strerror}", "Remove it; the hub makes a new one.") from error
    return path


def write_ready_file(path: Path, listeners: list[Listener], admin_token_file: Path | None) -> None:
    """JSON with the addresses, the pid and the token's file; there once whole."""
    document = {f"{listener.name}_url": listener.url for listener in listeners}
    document |= {"admin_token_file": str(admin_token_file or "")}
    write_private(path, json.dumps(document | {"pid": os.getpid()}) + "\n")
