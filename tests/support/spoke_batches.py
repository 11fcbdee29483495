"""Drafts and outboxes for tests: real Arrow is not needed where only the envelope matters."""

import random
from pathlib import Path
from typing import Any

from periplus_contract.batch import Section
from periplus_contract.tables import Kind
from periplus_spoke.outbox.filesystem import FileSystem, FolderFileSystem
from periplus_spoke.outbox.model import Draft
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.planning import Policy

from tests.support.clock import FakeClock

REGISTRATION = "11111111-1111-7111-8111-111111111111"
HOUR_S = 1_767_225_600
"""2026-01-01T00:00:00Z."""


def draft(kind: Kind = Kind.FLOWS, *, rows: int = 3, start_s: int = HOUR_S, body: bytes = b"body") -> Draft:
    """A windowed batch, or an ipam batch with allocations."""
    table = "allocations" if kind is Kind.IPAM else "rows"
    return Draft(
        kind=kind,
        window_start_s=start_s,
        window_s=60,
        rows=rows,
        sections=(Section(table=table, rows=rows, inflated_bytes=8),),
        inflated_bytes=8,
        body=body,
        covers=("pools/node", "allocations/pod") if kind is Kind.IPAM else (),
    )


def snapshot(parts: int = 1, *, rows: int = 3, body: bytes = b"snap") -> list[Draft]:
    """All parts of a snapshot."""
    return [_inventory(rows, body, mode="snapshot", part=part, parts=parts) for part in range(1, parts + 1)]


def statement(parts: int, *, body: bytes = b"part") -> list[Draft]:
    """All parts of an ipam statement: pools first, allocations in the last."""
    return [
        Draft(
            kind=Kind.IPAM,
            window_start_s=HOUR_S,
            window_s=60,
            rows=2,
            sections=(Section(table="allocations" if part == parts else "pools", rows=2, inflated_bytes=8),),
            inflated_bytes=8,
            body=body,
            part=part,
            parts=parts,
            covers=("pools/node", "allocations/pod"),
        )
        for part in range(1, parts + 1)
    ]


def delta(*, rows: int = 1, body: bytes = b"delta") -> Draft:
    """An inventory delta."""
    return _inventory(rows, body, mode="delta")


def _inventory(rows: int, body: bytes, **more: Any) -> Draft:
    return Draft(
        kind=Kind.INVENTORY,
        window_start_s=HOUR_S,
        window_s=0,
        rows=rows,
        sections=(Section(table="pods", rows=rows, inflated_bytes=8),),
        inflated_bytes=8,
        body=body,
        **more,
    )


def open_outbox(files: FileSystem | Path, clock: FakeClock, policy: Policy | None = None, seed: int = 1) -> Outbox:
    """An outbox over a file system or a real folder."""
    if isinstance(files, Path):
        files.mkdir(exist_ok=True)
        files = FolderFileSystem(files)
    return Outbox(files, clock, random.Random(seed), REGISTRATION, policy or Policy())


def assert_balanced(outbox: Outbox) -> None:
    """collected = settled + queued + folded + sum(dropped), per kind and hour."""
    for hour, (total, queued) in outbox.accounts().items():
        assert total.collected == total.gone + queued, (hour, total, queued)
