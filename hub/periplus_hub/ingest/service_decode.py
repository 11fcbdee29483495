"""From sealed bytes to checked columns, in worker threads and in turn."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from periplus_contract import limits, problems
from periplus_contract.rejections import Reason
from periplus_contract.tables import Kind
from periplus_hub.ingest.appliers import Preparing
from periplus_hub.ingest.decode import as_waiting, decode, set_all_aside, with_earlier, with_prepared
from periplus_hub.ingest.kinds import TakenKind
from periplus_hub.ingest.model import DecodedBatch, SealedBatch, WaitingPart, is_last
from periplus_hub.ingest.service_groups import SMALL_ROWS
from periplus_hub.ingest.service_verdicts import BUSY_S
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.fair_queue import Shares
from periplus_hub.kit.fair_turns import FairTurns
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

_MANY: Final = 100_000
"""Those that wait to be decoded have room each, so they are few already."""

_log: Final = structlog.get_logger(__name__)


class Decoding:
    """The worker threads of one process."""

    def __init__(self, clock: Clock, kinds: Mapping[Kind, TakenKind], threads: int) -> None:
        """`threads` for large batches; there is one more that is never busy with one."""
        self._kinds = kinds
        self._threads = ThreadPoolExecutor(threads + 1, thread_name_prefix="decode")
        self._turns = FairTurns(
            clock,
            Shares(
                total=threads + 1,
                big=threads,
                each_tenant=threads + 1,
                each_member=threads + 1,
                waiting_each_tenant=_MANY,
                waiting_each_member=_MANY,
            ),
        )

    def close(self) -> None:
        """Let the worker threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def decode(self, sealed: SealedBatch, earlier: Sequence[WaitingPart], size: int) -> DecodedBatch:
        """With the rows of the `earlier` parts of its statement; `size` bytes in all. Raises SpokeRequestRefusal."""
        who, large = sealed.principal, sealed.header.rows > SMALL_ROWS
        async with self._turns.turn(who.tenant_id, who.registration_id, big=large, price=size):
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._decode, sealed, earlier)

    def _decode(self, sealed: SealedBatch, earlier: Sequence[WaitingPart]) -> DecodedBatch:
        """Runs in a worker thread. However a library ends over a stranger's bytes, it is a verdict on this batch."""
        try:
            return self._decoded(sealed, earlier)
        except SpokeRequestRefusal:
            raise
        except MemoryError as error:
            raise SpokeRequestRefusal(
                problems.OVERLOADED, "there is no memory for it now", retry_after_s=BUSY_S
            ) from error
        except BaseException as error:  # a panic of a library in Rust is no Exception
            what = f"{type(error).__name__}: {error}"[:500]
            _log.error("batch_not_read", registration=sealed.header.registration, seq=sealed.header.seq, error=what)
            raise SpokeRequestRefusal(problems.INVALID_BATCH, "the hub cannot read it; its log says why") from error

    def _decoded(self, sealed: SealedBatch, earlier: Sequence[WaitingPart]) -> DecodedBatch:
        header = sealed.header
        # In the worker: on the loop a few MiB of it would hold up every other batch.
        if hashlib.sha256(sealed.body).hexdigest() != header.sha256:
            raise SpokeRequestRefusal(problems.MALFORMED_BATCH, "body does not have the sha256 its header names")
        ahead_s = header.window_start_s - sealed.received_at.timestamp()
        if ahead_s > limits.MAX_CLOCK_AHEAD_S:
            return set_all_aside(sealed, Reason.CLOCK_AHEAD, f"the window starts {ahead_s:.0f} s in the hub's future")
        kind, decoded = self._kinds[header.kind], decode(sealed)
        part = kind.order.part_of(header)
        if part is not None and not is_last(part):
            # Decoded and checked although it waits: what breaks the contract is refused while the spoke still has the
            # batch, and not when the last part comes.
            return as_waiting(decoded, sealed.body)
        whole = with_earlier(decoded, earlier) if earlier else decoded
        if isinstance(kind.applier, Preparing):
            return with_prepared(whole, *kind.applier.prepare(whole))
        return whole
