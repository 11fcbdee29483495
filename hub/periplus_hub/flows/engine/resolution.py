"""Whose the addresses of one hour's rows were, as the store's table `flow_identities` has it."""

from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.flows import model_kinds
from periplus_hub.flows.engine.columns import UUID_BYTES, Ints, changes, plain
from periplus_hub.flows.engine.external import outside, shown
from periplus_hub.flows.engine.owners import Answers, Owners, Questions
from periplus_hub.flows.model import HOUR_S, MINUTE_S, MINUTES_OF_HOUR, NOBODY
from periplus_hub.inventory.identity import AMBIGUOUS, UNKNOWN, Addresses

OUTSIDE_RULE: Final = "outside"
UNKNOWN_RULE: Final = "unknown"
MOST_EXPLAINED: Final = 1_000
"""Ambiguous addresses of an hour whose candidates are kept: explaining one costs a look at everything."""
_US: Final = 1_000_000
CANDIDATE: Final = pa.struct(
    [("registration", UUID_BYTES), ("namespace", pa.string()), ("kind", pa.string()), ("workload", pa.string())]
)


def resolved(asked: pa.Table, hour: int, owners: Owners) -> pa.Table:
    """Rows of `flow_identities`, their `lookup` and `locality`, for distinct (registration, address).

    An address that changed hands, or went to another zone, has several, each from a minute on.
    """
    position, questions = moments(asked, hour, owners)
    answers = owners.answer(questions)
    where = owners.localities.of(answers.owner, questions.address, questions.time_us)
    starts = np.flatnonzero(changes(position, answers.owner, answers.rule, where))
    kept = questions.take(starts)
    named = named_owners(kept, Answers(owner=answers.owner[starts], rule=answers.rule[starts]), owners)
    return pa.table(keys(asked, hour, position[starts], kept.time_us) | {"locality": where[starts]} | named)


def moments(asked: pa.Table, hour: int, owners: Owners) -> tuple[Ints, Questions]:
    """What is to be found out, and of which row: one question for the hour, or for each minute where that matters."""
    clusters = clusters_of(asked.column("registration"), owners)
    address = _words(asked.column("address"))
    changing = owners.may_change(address, hour * _US, (hour + HOUR_S) * _US)
    still, moving = np.flatnonzero(~changing), np.flatnonzero(changing)
    position = np.concatenate((still, np.repeat(moving, MINUTES_OF_HOUR)))
    minute = np.concatenate((np.zeros(len(still), dtype=np.int64), np.tile(np.arange(MINUTES_OF_HOUR), len(moving))))
    return position, Questions(
        cluster=clusters[position],
        address=Addresses(address.high[position], address.low[position]),
        time_us=(hour + minute * MINUTE_S) * _US,
    )


def keys(asked: pa.Table, hour: int, position: Ints, since_us: Ints) -> dict[str, Any]:
    """What tells one row of `flow_identities` from others, and its lookup. `position`: the row that it answers."""
    slices = np.bincount(position, minlength=asked.num_rows).astype(np.uint16)
    rows = asked.take(pa.array(position))
    return {
        "hour": np.full(len(position), hour, dtype=np.uint32),
        "registration": _plain(rows.column("registration")),
        "address": _plain(rows.column("address")),
        "host": rows.column("host").cast(pa.string()),
        "lookup": rows.column("lookup"),
        "since": (since_us // _US).astype(np.uint32),
        "slices": slices[position],
    }


def named_owners(asked: Questions, answers: Answers, owners: Owners) -> dict[str, pa.Array]:
    """Names for numbers; addresses of nobody stay addresses."""
    names = owners.names.rows
    nobody, is_known = answers.owner == UNKNOWN, answers.owner >= 0
    is_outside = outside(asked.address)
    kinds, texts = _shown(asked.address, np.flatnonzero(~is_known), is_outside & nobody)
    who = pa.array(np.where(is_known, answers.owner, 0), mask=~is_known)
    several = pa.array(answers.owner == AMBIGUOUS)
    rule = pa.array([*owners.rules, UNKNOWN_RULE]).take(pa.array(np.where(nobody, len(owners.rules), answers.rule)))
    whose = {name: names.column(name).combine_chunks().take(who) for name in names.column_names}
    return {
        "owner": pc.fill_null(whose["owner"], NOBODY.bytes).cast(UUID_BYTES),
        "namespace": pc.fill_null(whose["namespace"], ""),
        "kind": pc.coalesce(whose["kind"], pc.if_else(several, model_kinds.AMBIGUOUS, kinds)),
        "workload": pc.coalesce(whose["workload"], texts),
        "rule": pc.if_else(pa.array(nobody & is_outside), OUTSIDE_RULE, rule),
        "candidates": _candidates(asked, answers, owners),
    }


def _shown(address: Addresses, which: Ints, is_public: npt.NDArray[np.bool_]) -> tuple[pa.Array, pa.Array]:
    """Kind and text of `which` of the addresses, of which nobody is known or several are; null of others."""
    found = shown(address.high[which].tolist(), address.low[which].tolist(), is_public[which].tolist())
    place = np.zeros(len(address.high), dtype=np.int64)
    others = np.ones(len(place), dtype=np.bool_)
    place[which], others[which] = np.arange(len(which)), False
    kinds, texts = (pa.array(each, pa.string()).take(pa.array(place, mask=others)) for each in found)
    return kinds, texts


def _candidates(asked: Questions, answers: Answers, owners: Owners) -> pa.Array:
    """A list for each question; empty where there is nothing to explain."""
    explained: list[int] = []
    counts = np.zeros(len(answers.owner), dtype=np.int32)
    for row in np.flatnonzero(answers.owner == AMBIGUOUS)[:MOST_EXPLAINED].tolist():
        address = int(asked.address.high[row]) << 64 | int(asked.address.low[row])
        found = owners.candidates(int(asked.cluster[row]), address, int(asked.time_us[row]), int(answers.rule[row]))
        explained += found
        counts[row] = len(found)
    ends = pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))
    named = owners.names.rows.take(pa.array(explained, pa.int64()))
    parts = [named.column(name).combine_chunks() for name in named.column_names]
    structs = pa.StructArray.from_arrays([parts[0].cast(UUID_BYTES), *parts[1:]], fields=list(CANDIDATE))
    return pa.ListArray.from_arrays(ends, structs)


def clusters_of(registration: pa.ChunkedArray, owners: Owners) -> Ints:
    """Their numbers."""
    encoded = _plain(registration).dictionary_encode()
    number = [owners.clusters.get(UUID(bytes=value), UNKNOWN) for value in encoded.dictionary.to_pylist()]
    numbers: Ints = np.array([*number, UNKNOWN], dtype=np.int64)
    of_row: Ints = numbers[np.asarray(encoded.indices.to_numpy(zero_copy_only=False))]
    return of_row


def _plain(values: pa.ChunkedArray) -> pa.Array:
    """16 bytes each."""
    return plain(values.combine_chunks()).cast(UUID_BYTES)


def _words(values: pa.ChunkedArray) -> Addresses:
    whole = _plain(values)
    raw = np.frombuffer(whole.buffers()[1], dtype=">u8", count=2 * len(whole), offset=16 * whole.offset)
    words = raw.astype(np.uint64).reshape(-1, 2)
    return Addresses(np.ascontiguousarray(words[:, 0]), np.ascontiguousarray(words[:, 1]))
