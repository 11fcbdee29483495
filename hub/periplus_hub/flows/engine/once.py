"""Bytes that the cluster of the client may tell of, too, while nobody can tell that they are the same."""

import numpy as np
import pyarrow as pa

from periplus_hub.flows.engine.columns import halves
from periplus_hub.flows.engine.merge import SERVER
from periplus_hub.flows.engine.numbered_ends import NumberedEnds
from periplus_hub.flows.model import MEASURES


def counted_once(rows: pa.Table, ends: NumberedEnds) -> pa.Table:
    """Rows as `repository_rollup.windows` finds them.

    A server's report of a client in a cluster that is not known stays, and what it measured is unknown: the report of
    that client would be another edge.
    """
    src = halves(rows.column("ends"))[0]
    doubtful = (np.asarray(rows.column("reporter").to_numpy()) == SERVER) & ends.is_unplaced[src]
    if not doubtful.any():
        return rows
    columns = {name: np.asarray(rows.column(name).to_numpy()) for name in rows.column_names}
    unknown = columns["unmeasured"].copy()
    for bit, name in enumerate(MEASURES):
        if name in columns:
            which = doubtful & (columns[name] != 0)
            unknown[which] |= np.uint16(1 << bit)
            columns[name] = np.where(which, 0, columns[name]).astype(columns[name].dtype)
    return pa.table({**columns, "unmeasured": unknown})
