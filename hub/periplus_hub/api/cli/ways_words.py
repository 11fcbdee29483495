"""Ways of joining clusters in few words: most overlaps stop whole families of them."""

from collections.abc import Collection, Iterator
from typing import Final

from periplus_hub.addresses.overlaps.model import FederationTarget

_T = FederationTarget
_MESHES: Final = frozenset({_T.CILIUM_CLUSTER_MESH, _T.SUBMARINER, _T.ISTIO_FLAT, _T.LINKERD_FLAT})
_ROUTES: Final = frozenset({_T.VPC_PEERING, _T.TRANSIT_GATEWAY, _T.PLAIN_ROUTING})
_GATEWAYS: Final = frozenset({_T.ISTIO_MULTI_NETWORK, _T.LINKERD_GATEWAY})
_TRANSLATED: Final = frozenset({_T.SUBMARINER_GLOBALNET, _T.SKUPPER})
_FAMILIES: Final = (
    (_MESHES | _ROUTES, "all flat ways of joining"),
    (_MESHES, "all meshes on a flat network"),
    (_ROUTES, "all routes between networks"),
    (_GATEWAYS | _TRANSLATED, "ways behind gateways or translation"),
    (_GATEWAYS, "meshes with gateways"),
)
"""The largest first."""


def ways_words(targets: Collection[FederationTarget]) -> str:
    """Whole families with how many they are, then what is left by name: "all routes between networks (3), Skupper"."""
    return ", ".join(_words(targets))


def _words(targets: Collection[FederationTarget]) -> Iterator[str]:
    left = set(targets)
    for family, words in _FAMILIES:
        if left >= family:
            left -= family
            yield f"{words} ({len(family)})"
    yield from (each.full_name for each in FederationTarget if each in left)
