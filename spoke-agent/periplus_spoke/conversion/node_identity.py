"""Who an agent of a node is: what its enrolment asks for."""

import msgspec


class NodeIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is what Kubernetes calls the node. Of which cluster it is, the join token says: no API server is asked."""

    name: str
