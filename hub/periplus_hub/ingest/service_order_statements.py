"""The order of a kind whose every batch states completely what it covers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from periplus_contract import problems
from periplus_contract.batch import Header, PartMark
from periplus_contract.problems import ProblemType
from periplus_hub.access.scope import Scope
from periplus_hub.ingest import repository, repository_parts
from periplus_hub.ingest.appliers import Applier
from periplus_hub.ingest.model import DecodedBatch, is_last, parts_before
from periplus_hub.ingest.repository_ledger import LedgerState
from periplus_hub.ingest.service_order import Applied, Order, Verdict, taken
from periplus_hub.kit.db import WriteConnection
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal


class NewestStatements(Order):
    """Of everything that can be covered the newest statement holds; one in several parts holds with its last.

    `covers` are the covers of the kind, each with the name of what it states: two of one name are statements on the
    same thing. A part without those before it is refused with `gap`.
    """

    one_kind_only = True

    def __init__(
        self,
        covers: Mapping[str, str],
        part_of: Callable[[Header], PartMark | None],
        *,
        gap: ProblemType,
        max_parts: int,
    ) -> None:
        self._covers = covers
        self._part_of = part_of
        self._gap = gap
        self._max_parts = max_parts

    def part_of(self, header: Header) -> PartMark | None:
        """Where the header of this kind has it."""
        return self._part_of(header)

    def check(self, header: Header) -> None:
        """Parts have consecutive seqs, and there are several."""
        mark = self.part_of(header)
        if mark is not None:
            stands = 1 <= mark.part <= mark.parts <= self._max_parts and mark.part <= header.seq
            if not stands or mark.parts == 1:
                detail = f"part {mark.part}/{mark.parts} of a statement cannot be seq {header.seq}"
                raise SpokeRequestRefusal(problems.INVALID_BATCH, detail)

    async def judge(
        self, c: WriteConnection, scope: Scope, group: Sequence[tuple[DecodedBatch, LedgerState]]
    ) -> dict[UUID, Verdict]:
        """Every part of a statement stands on all of those before it."""
        missing = await self._missing(c, scope, [batch for batch, _ in group if not batch.is_set_aside])
        return {batch.sender_id: missing.get(batch.sender_id) or taken(batch, state) for batch, state in group}

    async def _missing(
        self, c: WriteConnection, scope: Scope, batches: Sequence[DecodedBatch]
    ) -> dict[UUID, SpokeRequestRefusal]:
        parts = [(batch, mark) for batch in batches if (mark := self.part_of(batch.header)) is not None]
        here = {batch.sender_id: batch.earlier_parts for batch, mark in parts if is_last(mark)}
        waiting = [parts_before(batch, mark) for batch, mark in parts if 1 < mark.part < mark.parts]
        if waiting:
            here |= await repository_parts.count_waiting(c, scope, waiting)
        refused = {}
        for batch, mark in parts:
            found = here.get(batch.sender_id, 0)
            if found != mark.part - 1:
                which = f"part {mark.part} of {mark.parts} is seq {batch.header.seq}"
                detail = f"{which}; of those before it {found} are here"
                refused[batch.sender_id] = SpokeRequestRefusal(self._gap, detail)
        return refused

    async def write(
        self, c: WriteConnection, scope: Scope, group: Sequence[tuple[DecodedBatch, Applied]], applier: Applier
    ) -> None:
        """Each in turn: most are the few rows of a sample."""
        for batch, applied in group:
            if await self._is_whole(c, scope, batch):
                applied.applied = await self._apply_newest(c, scope, batch, applier)

    async def _is_whole(self, c: WriteConnection, scope: Scope, batch: DecodedBatch) -> bool:
        """Whether its rows can go; those of a part wait for the last one, which has the rows of all."""
        mark = self.part_of(batch.header)
        if mark is None:
            return True
        # With the first part: those of an earlier statement, which will never be whole now. With the last part:
        # its own, because it has the rows of all.
        if mark.part == 1 or is_last(mark):
            await repository_parts.forget_up_to(c, scope, batch)
        if not is_last(mark):
            await repository_parts.put(c, scope, batch)
        return is_last(mark)

    async def _apply_newest(self, c: WriteConnection, scope: Scope, batch: DecodedBatch, applier: Applier) -> bool:
        """What it covers of which nothing newer was applied; whether there is any."""
        stated = {cover: self._covers[cover] for cover in batch.covers & self._covers.keys()}
        newest = await repository.advance_statements(c, scope, batch, frozenset(stated.values()))
        covers = frozenset(cover for cover, name in stated.items() if name in newest)
        if covers:
            await applier.apply(c, [replace(batch, covers=covers)])
        return bool(covers)
