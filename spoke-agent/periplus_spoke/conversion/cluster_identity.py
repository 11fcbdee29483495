"""Who a cluster is: what enrolment asks for, whoever found it out."""

import msgspec


class ClusterIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """`uid` is the kube-system namespace's; `name` only a suggestion; unknown numbers are 0, unknown texts empty."""

    uid: str
    name: str
    kubernetes_version: str = ""
    api_ca_sha256: str = ""
    node_count: int = 0
    machines: tuple[str, ...] = ()
    """`uid=address` of nodes that are ready: what tells a cluster from a copy of it."""
    way: str = ""
    """A hash of how its API server is reached, equal for everybody who reaches this one like that."""
