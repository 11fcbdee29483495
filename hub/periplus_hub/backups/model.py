"""What a backup says of itself, and which hub may restore it. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from periplus_hub.kit.errors import Refusal

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DUMP: Final = "postgresql.dump"
SUMS: Final = "SHA256SUMS"
MARGIN_BYTES: Final = 256 * 1024**2
"""What PostgreSQL writes beside its tables while they are filled."""

FlowsKept = Literal["none", "files", "server", "left-out"]


class Manifest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=False):
    """Of a whole backup; it is written after everything else."""

    format: int
    hub_version: str
    hub_id: str
    started_at: datetime
    """When PostgreSQL's state is of: it is dumped first."""
    ended_at: datetime
    schema: str
    postgres_version: str
    database_bytes: int
    """What the tables and indexes took."""
    flows: FlowsKept
    """In files of the backup, where a server was told to put them, or nowhere, because nobody wanted them."""
    flow_schema: int
    """0 where there are no flows."""
    flow_place: str
    """What the server's part is called, where flows are kept by a server."""
    tenants: tuple[UUID, ...]
    """Those that have flows."""
    files: Mapping[str, int]
    """Bytes of each file but this one and the sums."""

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(self.files.values())

    @property
    def flow_bytes(self) -> int:
        """Of the files with flows."""
        return self.bytes - self.files.get(DUMP, 0)


def read_manifest(text: bytes, folder: str) -> Manifest:
    """Raises Refusal for what no hub of this version wrote."""
    try:
        number = msgspec.json.decode(text, type=dict[str, object]).get("format")
        if isinstance(number, int) and number > FORMAT:
            raise Refusal(
                f"the backup {folder} has format {number}, and this hub reads formats up to {FORMAT}",
                "Restore it with the version of Periplus that wrote it, or a later one.",
                slug="backup-newer",
            )
        return msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise damaged(folder, f"{MANIFEST} cannot be read: {error}") from error


def damaged(folder: str, why: str) -> Refusal:
    """It is not the backup that was taken."""
    return Refusal(f"the backup {folder} is damaged: {why}", "Take another backup.", slug="backup-damaged")


def refuse_newer(manifest: Manifest, hub_version: str, schemas: Sequence[str], flow_schema: int) -> None:
    """Raise Refusal for a backup that a later hub took: this one may not understand what it holds."""
    remedy = f"Restore it with Periplus {manifest.hub_version} or a later version."
    if _ordered(manifest.hub_version) > _ordered(hub_version):
        raise Refusal(
            f"the backup was taken by Periplus {manifest.hub_version}, and this is {hub_version}",
            remedy,
            slug="backup-newer",
        )
    if manifest.schema not in schemas:
        raise Refusal(
            f"the backup's schema is {manifest.schema}, and this hub knows schemas up to {schemas[-1]}",
            remedy,
            slug="backup-newer",
        )
    if manifest.flow_schema > flow_schema:
        raise Refusal(
            f"the schema of the backup's flows is {manifest.flow_schema}, and this hub knows up to {flow_schema}",
            remedy,
            slug="backup-newer",
        )


def refuse_full(place: str, free_bytes: int, needed_bytes: int) -> None:
    """Raise Refusal where the disk has too little room."""
    if free_bytes < needed_bytes:
        raise Refusal(
            f"{place} has {_mb(free_bytes)} free, and {_mb(needed_bytes)} are needed",
            "Free some space there, or choose a folder on another disk.",
            slug="no-room",
        )


def _mb(count: int) -> str:
    return f"{count / 1_000_000:,.0f} MB"


def _ordered(version: str) -> tuple[int, ...]:
    """The numbers a version begins with: what is behind them, like `.dev3`, does not make it a later one."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(each) for each in found[0].split(".")) if found else ()
