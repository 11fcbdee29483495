"""Room for the connections: each takes a descriptor, and a process without any answers nobody, not even probes."""

import resource
from typing import Final

import structlog

from periplus_hub.api.config import HubConfig
from periplus_hub.kit.errors import Refusal

METRICS_CONNECTIONS: Final = 64
"""The metrics listener has its own, so that it answers whatever happens at the others."""
_OWN_FILES: Final = 256
"""Libraries, logs, the loop's own, and connections that end while the next is taken."""
_FEWEST: Final = 50

_log: Final = structlog.get_logger(__name__)


def make_room(config: HubConfig) -> HubConfig:
    """Let the process open what its connections need; returns the settings with as many of them as fit.

    Raises Refusal where that is less than was asked for, or too little to serve with.
    """
    other = config.most_connections + METRICS_CONNECTIONS + _OWN_FILES
    most = _raised(other + 2 * config.connections)
    fitting = (most - other) // 2
    if fitting >= config.connections:
        return config
    asked = "connections" in config.model_fields_set
    if asked or fitting < _FEWEST:
        raise Refusal(
            f"the process may open {most} files, and {config.connections} connections at each of two listeners need "
            f"{other + 2 * config.connections}",
            "Allow more (ulimit -n, LimitNOFILE=), or set fewer connections (PERIPLUS_CONNECTIONS).",
            slug="open-files",
        )
    _log.warning("fewer_connections", connections=fitting, open_files=most, asked=config.connections)
    return config.model_copy(update={"connections": fitting})


def _raised(needed: int) -> int:
    """How many files the process may open, after asking for `needed`, and no more than that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft in (resource.RLIM_INFINITY, needed) or soft > needed:
        return needed if soft == resource.RLIM_INFINITY else soft
    wanted = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a system with a limit of its own below that
        return soft
    return wanted
