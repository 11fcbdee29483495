"""Whose the addresses of one hour's rows were, as the store's table `flow_identities` has it."""

from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.flows.engine.external import outside, shown
from periplus_hub.flows.engine.owners import NOBODY, Answers, Owners, Questions
from periplus_hub.flows.model import HOUR_S, MINUTE_S, MINUTES_OF_HOUR
from periplus_hub.inventory.identity import AMBIGUOUS, UNKNOWN, Addresses

Ints = npt.NDArray[np.int64]

OUTSIDE_RULE: Final = "outside"
UNKNOWN_RULE: Final = "unknown"
AMBIGUOUS_KIND: Final = "ambiguous"
_MOST_EXPLAINED: Final = 1_000
"""Ambiguous addresses of an hour whose candidates are kept: explaining one costs a look at everything."""
_US: Final = 1_000_000
_UUID: Final = pa.binary(16)
_CANDIDATE: Final = pa.struct(
    [("registration", _UUID), ("namespace", pa.string()), ("kind", pa.string()), ("workload", pa.string())]
)


def resolved(asked: pa.Table, hour: int, owners: Owners) -> pa.Table:
    """Rows of `flow_identities` for distinct (registration, address); an address that changed hands has several."""
    clusters = _clusters(asked.column("registration"), owners)
    address = _words(asked.column("address"))
    changing = np.isin(_keys(address), _keys(owners.changing(hour * _US, (hour + HOUR_S) * _US)))
    still, moving = np.flatnonzero(~changing), np.flatnonzero(changing)
    position = np.concatenate((still, np.repeat(moving, MINUTES_OF_HOUR)))
    minute = np.concatenate((np.zeros(len(still), dtype=np.int64), np.tile(np.arange(MINUTES_OF_HOUR), len(moving))))
    questions = Questions(
        cluster=clusters[position],
        address=Addresses(address.high[position], address.low[position]),
        time_us=(hour + minute * MINUTE_S) * _US,
    )
    answers = owners.answer(questions)
    starts = _starts(position, answers)
    kept = Questions(
        cluster=questions.cluster[starts],
        address=Addresses(questions.address.high[starts], questions.address.low[starts]),
        time_us=questions.time_us[starts],
    )
    slices = np.bincount(position[starts], minlength=len(clusters)).astype(np.uint16)
    rows = asked.take(pa.array(position[starts]))
    return pa.table(
        {
            "hour": np.full(len(starts), hour, dtype=np.uint32),
            "registration": _plain(rows.column("registration")),
            "address": _plain(rows.column("address")),
            "since": (hour + minute[starts] * MINUTE_S).astype(np.uint32),
            "slices": slices[position[starts]],
            **_named(kept, Answers(owner=answers.owner[starts], rule=answers.rule[starts]), owners),
        }
    )


def _starts(position: Ints, answers: Answers) -> Ints:
    """Where an address, or its owner, is another than in the row before."""
    new = np.ones(len(position), dtype=np.bool_)
    for column in (position, answers.owner, answers.rule):
        column_changed = column[1:] != column[:-1]
        new[1:] = column_changed if column is position else new[1:] | column_changed
    return np.flatnonzero(new)


def _named(asked: Questions, answers: Answers, owners: Owners) -> dict[str, pa.Array]:
    """Names for numbers; addresses of nobody stay addresses."""
    names = owners.names
    nobody, is_known = answers.owner == UNKNOWN, answers.owner >= 0
    is_outside = outside(asked.address)
    kinds, texts = shown(asked.address.high.tolist(), asked.address.low.tolist(), (is_outside & nobody).tolist())
    # Number 0 is nobody.
    who = pa.array(np.where(is_known, answers.owner + 1, 0))
    known, several = pa.array(is_known), pa.array(answers.owner == AMBIGUOUS)
    kind = pc.if_else(several, AMBIGUOUS_KIND, pa.array(kinds, pa.string()))
    rule = pa.array([*owners.rules, UNKNOWN_RULE]).take(pa.array(np.where(nobody, len(owners.rules), answers.rule)))
    registrations = [NOBODY.bytes, *(each.bytes for each in names.registration)]
    return {
        "owner": pa.array(registrations, _UUID).take(who),
        "namespace": pa.array(["", *names.namespace]).take(who),
        "kind": pc.if_else(known, pa.array(["", *names.kind]).take(who), kind),
        "workload": pc.if_else(known, pa.array(["", *names.workload]).take(who), pa.array(texts, pa.string())),
        "rule": pc.if_else(pa.array(nobody & is_outside), OUTSIDE_RULE, rule),
        "candidates": _candidates(asked, answers, owners),
    }


def _candidates(asked: Questions, answers: Answers, owners: Owners) -> pa.Array:
    explained: dict[int, list[dict[str, object]]] = {}
    names = owners.names
    for row in np.flatnonzero(answers.owner == AMBIGUOUS)[:_MOST_EXPLAINED].tolist():
        address = int(asked.address.high[row]) << 64 | int(asked.address.low[row])
        found = owners.candidates(int(asked.cluster[row]), address, int(asked.time_us[row]), int(answers.rule[row]))
        explained[row] = [
            {
                "registration": names.registration[each].bytes,
                "namespace": names.namespace[each],
                "kind": names.kind[each],
                "workload": names.workload[each],
            }
            for each in found
        ]
    return pa.array([explained.get(row, []) for row in range(len(answers.owner))], pa.list_(_CANDIDATE))


def _clusters(registration: pa.ChunkedArray, owners: Owners) -> Ints:
    encoded = _plain(registration).dictionary_encode()
    number = [owners.clusters.get(UUID(bytes=value), UNKNOWN) for value in encoded.dictionary.to_pylist()]
    numbers: Ints = np.array([*number, UNKNOWN], dtype=np.int64)
    of_row: Ints = numbers[np.asarray(encoded.indices.to_numpy(zero_copy_only=False))]
    return of_row


def _plain(values: pa.ChunkedArray) -> pa.Array:
    """16 bytes each, without what the library calls them."""
    whole = values.combine_chunks()
    whole = whole.storage if isinstance(whole, pa.ExtensionArray) else whole
    return whole.cast(_UUID)


def _words(values: pa.ChunkedArray) -> Addresses:
    whole = _plain(values)
    raw = np.frombuffer(whole.buffers()[1], dtype=">u8", count=2 * len(whole), offset=16 * whole.offset)
    words = raw.astype(np.uint64).reshape(-1, 2)
    return Addresses(np.ascontiguousarray(words[:, 0]), np.ascontiguousarray(words[:, 1]))


def _keys(address: Addresses) -> npt.NDArray[np.bytes_]:
    """What compares as the whole address does, for equality."""
    words = np.empty((len(address.high), 2), dtype=">u8")
    words[:, 0], words[:, 1] = address.high, address.low
    return np.frombuffer(words.tobytes(), dtype="S16")
