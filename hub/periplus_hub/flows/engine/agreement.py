"""Where ends were, as far as both reporters of an edge know it.

Each byte counts once only if both reports of it are of one edge. One reporter may see the pod behind an end, and the
other only its workload, which had pods in several zones: then neither says in which zone that end was, of anything that
passed over the edge in the hour. What one reporter alone tells stays as it is, and so does what both see of pods.
"""

from typing import Final

import numpy as np
import pyarrow as pa

from periplus_hub.flows.engine.columns import Flags, Ints, Words, changes, halves, numbers, two_words, words
from periplus_hub.flows.engine.localities import UNKNOWN_LOCALITY, Names
from periplus_hub.flows.engine.merge import ORDER

_SIDES: Final = 2
_AT_ODDS: Final = (0b1001, 0b0110)
"""What there is of an edge, from the lowest bit on: rows of the client that are not so and that are, and of the server.
"""


def agreed(rows: pa.Table, names: Names) -> pa.Table:
    """Rows in the order of ORDER, each with what both reporters of its edge know of both ends."""
    how = numbers(rows.column("how"))
    is_new = changes(words(rows.column("ends")), how)
    start, edge = np.flatnonzero(is_new), np.cumsum(is_new) - 1
    told_by = _SIDES * (numbers(rows.column("reporter")) - 1)
    before = halves(rows.column("localities"))
    after = []
    for locality in before:
        at_odds = _at_odds(1 << (told_by + names.is_exact[locality]), start)
        found = np.where(at_odds[edge], names.region_alone[locality], locality)
        of_all = np.where(names.is_exact[found], 0, 1 << (told_by + names.has_region[found]))
        after.append(np.where(_at_odds(of_all, start)[edge] & (of_all != 0), UNKNOWN_LOCALITY, found))
    moved = np.logical_or.reduceat((after[0] != before[0]) | (after[1] != before[1]), start)
    return _sorted(rows, two_words(*after), np.flatnonzero(moved[edge])) if moved.any() else rows


def _at_odds(bits: Ints, start: Ints) -> Flags:
    """Of each edge, whether one reporter has a row that is not so, and the other one has one that is."""
    seen = np.bitwise_or.reduceat(bits, start)
    found: Flags = np.logical_or.reduce([(seen & each) == each for each in _AT_ODDS])
    return found


def _sorted(rows: pa.Table, localities: Words, moved: Ints) -> pa.Table:
    """The rows with these localities. Those of edges that are `moved` are put in order anew; they stay together."""
    columns = {name: np.asarray(rows.column(name).to_numpy()).copy() for name in rows.column_names}
    columns["localities"] = localities
    order = moved[np.lexsort([columns[name][moved] for name in reversed(ORDER)])]
    for column in columns.values():
        column[moved] = column[order]
    return pa.table(columns)
