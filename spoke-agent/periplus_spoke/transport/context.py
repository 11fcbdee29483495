"""What everything that takes part in sending shares."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from periplus_spoke.kit.change_signal import ChangeSignal
from periplus_spoke.kit.clock import Timer
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.thread import OutboxThread
from periplus_spoke.transport.pacer import Pacer
from periplus_spoke.transport.report import Report


@dataclass(frozen=True, kw_only=True)
class SenderContext:
    """One per process, made where it is composed."""

    thread: OutboxThread
    outbox: Outbox
    pacer: Pacer
    report: Report
    changes: ChangeSignal
    """When batches were sealed, sent or settled."""
    timer: Timer
    rng: random.Random
    request_snapshot: Callable[[], None]
    """Makes the collectors tell everything again."""
    shrink: Callable[[], bool]
    """Makes later inventory batches smaller; False when they cannot get smaller."""
