"""Who the ends of edges are, by number. Pure.

Numbers are in the order of names, so that what is sorted by them is the same whatever order the rows had.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa

from periplus_hub.flows.engine.columns import UUID_BYTES, Flags, Ints, plain
from periplus_hub.flows.model import NOBODY

PARTS: Final = ("registration", "namespace", "kind", "name")
LOCAL_PARTS: Final = ("registration", "kind", "region", "zone")
"""Of ends that are parts of clusters."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The distinct ends of rows. Of each part, `code` is the number of each end's word in `words`, which are sorted."""

    code: dict[str, Ints]
    words: dict[str, list[Any]]
    src: Ints
    """The end of each row."""
    dst: Ints

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.code["registration"])

    @property
    def is_nobody(self) -> Flags:
        """Which ends are in no cluster."""
        return self.among("registration", (NOBODY.bytes,))

    @property
    def has_namespace(self) -> Flags:
        """Which ends have one."""
        return ~self.among("namespace", ("",))

    def word(self, part: str, end: int) -> str:
        """A part of an end's name."""
        return str(self.words[part][int(self.code[part][end])])

    def registration_id(self, end: int) -> UUID | None:
        """Its cluster."""
        found = UUID(bytes=self.words["registration"][int(self.code["registration"][end])])
        return None if found == NOBODY else found

    def grouped(self, *codes: Ints) -> tuple[Ints, Ints]:
        """Of ends that are alike in these codes: the group of each end, and the first end of each group."""
        combined = np.zeros(self.count, dtype=np.int64)
        for code in codes:
            _, combined = np.unique(combined * (int(code.max(initial=0)) + 1) + code, return_inverse=True)
        _, first, group = np.unique(combined, return_index=True, return_inverse=True)
        return group.astype(np.int64), first.astype(np.int64)

    def among(self, part: str, words: Sequence[str | bytes]) -> Flags:
        """Which ends have one of these words as this part."""
        codes = [number for number, word in enumerate(self.words[part]) if word in words]
        return np.isin(self.code[part], codes)


def ends_of(rows: pa.Table, parts: Sequence[str] = PARTS) -> Ends:
    """Of rows with `end_src_…` and `end_dst_…` of these parts."""
    combined = np.zeros(2 * rows.num_rows, dtype=np.int64)
    codes: dict[str, Ints] = {}
    words: dict[str, list[Any]] = {}
    for part in parts:
        codes[part], words[part] = _coded(rows, part)
        _, combined = np.unique(combined * (len(words[part]) + 1) + codes[part], return_inverse=True)
    _, first, number = np.unique(combined, return_index=True, return_inverse=True)
    number = number.astype(np.int64)
    return Ends(
        code={part: codes[part][first] for part in parts},
        words=words,
        src=number[: rows.num_rows],
        dst=number[rows.num_rows :],
    )


def _coded(rows: pa.Table, part: str) -> tuple[Ints, list[Any]]:
    sides = [plain(rows.column(f"end_{side}_{part}").combine_chunks()) for side in ("src", "dst")]
    kind = UUID_BYTES if part == "registration" else pa.string()
    whole = pa.concat_arrays([each.cast(kind) for each in sides]).dictionary_encode()
    found = whole.dictionary.to_pylist()
    order = sorted(range(len(found)), key=found.__getitem__)
    rank = np.empty(len(found), dtype=np.int64)
    rank[order] = np.arange(len(found))
    indices = np.asarray(whole.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    return rank[indices], [found[each] for each in order]
