"""What addresses mean beside what had them itself: ranges that they are in, and what objects say they stand for. Pure.

A row of meanings has the columns of an identity and two more: `scope`, the cluster or network domain in which it holds,
and `length`, the prefix length of its range, of 128 bits.
"""

from typing import Final

import numpy as np
import pyarrow as pa

CLUSTER_RANGE: Final = "clusterrange"
"""The layer of ranges that a cluster gives addresses out of, which are reached from outside it."""
INNER_RANGE: Final = "innerrange"
"""Those that mean something in that cluster only: of services, and of pods that leave it behind their nodes."""
ENTERED_RANGE: Final = "enteredrange"
"""Ranges that people entered for a network domain."""
IMPORT: Final = "import"
"""Services of several clusters, by their addresses in the cluster that imports them."""
ENTRY: Final = "entry"
"""Hosts and workloads outside of all clusters, by the addresses that they have in a mesh."""
GATEWAY: Final = "gateway"
"""Doors of other clusters, as a cluster knows them."""
OUTER_GATEWAY: Final = "outergateway"
"""Doors of clusters that the hub does not know."""
GLOBAL: Final = "global"
"""Services and pods, as other clusters reach them."""
EGRESS: Final = "egress"
"""Where connections of a cluster seem to come from."""
MEMBER_RANGE: Final = "range"
"""Ranges of other clusters, as a cluster knows them."""
REMOTE_POD: Final = "remotepod"
"""Pods of other clusters behind services, where the cluster is named and had the pod."""
REMOTE_ENDPOINT: Final = "endpoint"
"""The same where it is not known who had the address: the service."""
OF_ONE_CLUSTER: Final = (
    "clusterip",
    INNER_RANGE,
    IMPORT,
    ENTRY,
    GATEWAY,
    OUTER_GATEWAY,
    MEMBER_RANGE,
    REMOTE_POD,
    REMOTE_ENDPOINT,
)
"""Layers that mean something in their own cluster only."""
WHOLE_BITS: Final = 128


def with_meanings(identities: pa.Table, meanings: pa.Table | None) -> pa.Table:
    """Both as one table, the identities first. What had an address itself had it in its own cluster, and that alone."""
    alone = pa.array(np.full(identities.num_rows, WHOLE_BITS, dtype=np.int64))
    itself = identities.append_column("scope", identities.column("registration_id")).append_column("length", alone)
    return itself if meanings is None else pa.concat_tables([itself.select(meanings.column_names), meanings])
