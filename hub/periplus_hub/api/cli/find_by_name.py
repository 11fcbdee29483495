"""What a person means by a name or an id they type. Never a guess: two of a name are refused, with their ids.

A text with the form of an id is an id and nothing else, whatever others called themselves.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from periplus_contract.names import are_alike, is_id
from periplus_hub.api.cli.exit_codes import fail
from periplus_hub.kit.some_names import some

_SHOWN: Final = 10
_BARE: Final = re.compile(r"[0-9A-Fa-f-]{36}")

Node = dict[str, Any]


def choose(
    kind: str, text: str, known: Iterable[Node], *, is_live: Callable[[Node], bool] = bool, key: str = "name"
) -> Node:
    """The node of `known` that has this id, or else this name; leaves when there is none, or not only one.

    `kind` is that of its ids, like NetworkDomain. Of those with one name the live ones come first. `key` is the member
    that holds the name.
    """
    what, listing = _WORDS[kind]
    if is_id(text):
        identity = f"{kind}:{text.lower()}" if _BARE.fullmatch(text) else text
        found = [node for node in known if identity == node["id"] or text in _public(node)]
        return found[0] if found else fail(f"there is no {what} with the id {text!r}", f"See '{listing}'.")
    nodes = list(known)
    named = [node for node in nodes if node[key] == text]
    found = [node for node in named if is_live(node)] or named
    if not found:
        alike = ", ".join(repr(node[key]) for node in nodes if are_alike(node[key], text) and is_live(node))
        fail(f"there is no {what} {text!r}", f"Do you mean {alike}?" if alike else f"See '{listing}'.")
    if len(found) > 1:
        ids = some([node["id"] for node in found], _SHOWN)
        fail(f"{len(found)} {what}s are called {text!r}", f"Give the id of one: {ids}.")
    return found[0]


_WORDS: Final = {
    "ApiToken": ("API token", "periplus api-token list"),
    "Cluster": ("cluster", "periplus clusters list"),
    "EnteredRange": ("entered range", "periplus ranges list"),
    "Finding": ("finding", "periplus findings list"),
    "JoinToken": ("join token", "periplus join-token list"),
    "NodeAgent": ("agent of a node", "periplus agents list CLUSTER"),
    "NetworkDomain": ("network domain", "periplus domains list"),
    "OverlapAcceptance": ("acceptance", "periplus overlaps accepted"),
    "RangeReservation": ("reservation", "periplus plan reserved"),
    "Session": ("session", "periplus sessions list"),
}
"""What a person calls it, and where it is listed."""


def _public(node: Node) -> tuple[str | None, ...]:
    """The public parts of tokens, which are ids too."""
    return (node.get("prefix"), node.get("publicId"))
