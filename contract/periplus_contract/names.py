"""What clusters, network domains, tokens and tenants may be called.

A name is typed by people who trust it: into approvals, moves and revocations. So it is made of characters nobody can
mistake, never has the form of an id, and is refused beside one that reads the same. Nodes are called as Kubernetes
calls them.
"""

import re
from typing import Final

MAX_CLUSTER_NAME: Final = 253
MAX_NODE_NAME: Final = 253
ALLOWED: Final = "letters and digits of ASCII, . _ - : / @ + ( ) and single blanks between them"
_NAME: Final = re.compile(r"[A-Za-z0-9](?: ?[A-Za-z0-9._:/@+()-])*")
_UUID: Final = r"(?:[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32})"
_ID: Final = re.compile(rf"(?:[A-Za-z][A-Za-z0-9]*:)*{_UUID}(?::.*)?|pp[a-z]_.*", re.DOTALL)
_NODE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_SHAPES: Final = str.maketrans({"0": "O", "1": "l", "I": "l", "m": "rn"})
"""Unicode's confusables (UTS 39) as far as they are ASCII and allowed."""


def is_id(text: str) -> bool:
    """Whether it has the form of an id: a UUID, Kind:UUID, or the public part of a token."""
    return _ID.fullmatch(text) is not None


def why_no_name(text: str, longest: int) -> str:
    """Why it cannot be a name, as the end of a sentence that begins with it; empty when it can."""
    if not text or len(text) > longest:
        return f"has {len(text)} characters, and a name has 1 to {longest}"
    if _NAME.fullmatch(text) is None:
        return f"holds more than {ALLOWED}, or begins with no letter or digit"
    return "has the form of an id" if is_id(text) else ""


def is_node_name(text: str) -> bool:
    """Whether Kubernetes could call a node so."""
    return len(text) <= MAX_NODE_NAME and _NODE.fullmatch(text) is not None


def letters(name: str) -> str:
    """Equal for names that differ in case alone."""
    return name.lower()


def shape(name: str) -> str:
    """Equal for names that look alike, like prod-1 and prod-l."""
    return name.translate(_SHAPES)


def are_alike(a: str, b: str) -> bool:
    """Whether a person could take one for the other."""
    return letters(a) == letters(b) or shape(a) == shape(b)
