"""From bodies of the inbox to one insert, in columns."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from periplus_hub.flows.engine.bodies import opened
from periplus_hub.flows.model import MEASURES, Member

_SIDES: Final = ("src", "dst")
_PEER: Final = ("address", "namespace", "kind", "workload", "cluster")
_DIALLED: Final = "host"
"""Only who was connected to was asked for by a name."""
_AS_THEY_ARE: Final = (
    *("window_start", "window_s", "reporter", "collector", "protocol", "verdict", "dst_port"),
    *MEASURES,
    *("unmeasured", "sampling"),
)
_TEXTS: Final = ("policy", "drop_reason")


def joined(block_id: int, members: Sequence[Member]) -> pa.Table:
    """All rows of the members, in their order, as the store's table `flows` has them."""
    read = [opened(member.body) for member in members]
    sizes = np.array([flows.num_rows for _, flows in read])
    offsets = np.cumsum([0, *(peers.num_rows for peers, _ in read)])[:-1]
    peers = pa.concat_tables([peers for peers, _ in read]).combine_chunks()
    flows = pa.concat_tables([flows for _, flows in read]).combine_chunks()
    return pa.table(
        {
            "block": np.full(flows.num_rows, block_id, dtype=np.uint64),
            "registration": _repeated([member.registration_id.bytes for member in members], sizes),
            "epoch": _repeated([member.epoch.bytes for member in members], sizes),
            "seq": np.repeat(np.array([member.seq for member in members], dtype=np.uint64), sizes),
            **{name: flows.column(name) for name in _AS_THEY_ARE},
            **_ends(peers, flows, np.repeat(offsets, sizes)),
            **{name: flows.column(name).combine_chunks().dictionary_encode() for name in _TEXTS},
        }
    )


def _ends(peers: pa.Table, flows: pa.Table, offset: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Both ends of each row. Texts are encoded before they are spread: a peer is in many rows."""
    encoded = {name: peers.column(name).combine_chunks() for name in _PEER}
    encoded = {name: column if name == "address" else column.dictionary_encode() for name, column in encoded.items()}
    rows = {side: pa.array(flows.column(side).to_numpy() + offset) for side in _SIDES}
    found = {f"{side}_{name}": column.take(rows[side]) for side in _SIDES for name, column in encoded.items()}
    return found | {f"dst_{_DIALLED}": peers.column(_DIALLED).combine_chunks().dictionary_encode().take(rows["dst"])}


def _repeated(values: Sequence[bytes], counts: npt.NDArray[np.int64]) -> pa.Array:
    """Each of the 16 bytes as often as its count."""
    rows = np.repeat(np.frombuffer(b"".join(values), dtype="V16"), counts)
    return pa.Array.from_buffers(pa.binary(16), len(rows), [None, pa.py_buffer(rows.tobytes())])
