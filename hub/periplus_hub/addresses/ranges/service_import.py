"""Entering many ranges at once: all of them, or none, however many questions their text takes to come."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import audit
from periplus_hub.addresses.ranges import repository
from periplus_hub.addresses.ranges import repository_imports as imports
from periplus_hub.addresses.ranges.engine.changes import Changes, changes_of
from periplus_hub.addresses.ranges.engine.csv_text import Trouble, read_csv
from periplus_hub.addresses.ranges.model import EnteredRange, RangeSource, Wish
from periplus_hub.addresses.ranges.repository_imports import Arrived
from periplus_hub.addresses.ranges.service import entered, hold_domains, told
from periplus_hub.fleet.repository_changes import record_change
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.node_ids import node_id

_KIND: Final = "EnteredRange"
_LONGEST_ORIGIN: Final = 500
MAX_IMPORT_BYTES: Final = 8 * 1024 * 1024
"""Of the text: as many rows as an import may have, at some 400 bytes each."""
KEPT: Final = timedelta(hours=1)
"""So long an import waits for its next part."""
_MAX_UNFINISHED: Final = 8
"""Of one tenant: their parts are kept in the database."""
_AUDITED_AT_ONCE: Final = 200
"""Ranges in one event of the audit trail, so that a page of it stays a page."""
_NOTHING: Final = Changes((), (), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportAsk:
    """A text of ranges, where it is from, and whether to enter them or only to say what that would change.

    `continues` is the import that the text belongs to the end of; with `more` it is kept, and nothing else is done yet.
    """

    text: str
    source: RangeSource
    origin: str
    apply: bool
    continues: UUID | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class ImportedRanges:
    """What changed, or would; with troubles nothing does. `domain_names` are of the network domains there are."""

    changes: Changes
    troubles: Sequence[Trouble]
    domain_names: Mapping[UUID, str]
    applied: bool
    awaits: UUID | None = None
    """The import, while more of it is to come."""


async def import_ranges(c: WriteConnection, scope: Scope, ask: ImportAsk, now: datetime) -> ImportedRanges:
    """Enter every range of the text, and change those that say something else by now; audited, in one transaction."""
    scope.require(Permission.RANGES_WRITE)
    if ask.source is RangeSource.ENTERED or len(ask.origin) > _LONGEST_ORIGIN or not ask.origin.isprintable():
        raise Invalid("an import is from CSV or NETBOX, of an address", "Leave the source out, or name another origin.")
    await repository.lock_ranges(c, scope)
    content = ask.text.encode(errors="surrogatepass")
    if ask.more:
        awaits = await _kept(c, scope, ask.continues, content, now)
        return ImportedRanges(_NOTHING, (), {}, applied=False, awaits=awaits)
    text = await _whole(c, scope, ask.continues, content)
    names = await repository.live_domains(c, scope)
    by_name = {name: domain_id for domain_id, name in names.items()}
    by_id = {node_id("NetworkDomain", domain_id): domain_id for domain_id in names}
    read = await asyncio.to_thread(read_csv, text, by_name | by_id, now)
    if read.troubles:
        return ImportedRanges(_NOTHING, read.troubles, names, applied=False)
    known = await repository.ranges_in_force(c, scope, sorted({wish.domain_id for wish in read.wishes}))
    changes = changes_of({each.place: each for each in known}, read.wishes)
    if ask.apply and (changes.added or changes.changed):
        await _enter(c, scope, changes, ask, now)
    return ImportedRanges(changes, (), names, applied=ask.apply)


async def _kept(c: WriteConnection, scope: Scope, import_id: UUID | None, content: bytes, now: datetime) -> UUID:
    """One part more of an import, of a new one for None."""
    if import_id is None:
        _check_size(len(content))
        if await imports.unfinished(c, scope) >= _MAX_UNFINISHED:
            told = f"{_MAX_UNFINISHED} imports wait for their other parts"
            raise Conflict(told, "Finish one of them, or wait: they are forgotten after an hour.")
        import_id = new_id()
        await imports.add_part(c, scope, import_id, 0, content, now=now)
        return import_id
    known = await _arrived(c, scope, import_id, content)
    await imports.add_part(c, scope, import_id, known.parts, content, now=now)
    return import_id


async def _whole(c: WriteConnection, scope: Scope, import_id: UUID | None, content: bytes) -> str:
    """The text with its last part; what came before is kept no longer."""
    if import_id is None:
        _check_size(len(content))
    else:
        await _arrived(c, scope, import_id, content)
        content = b"".join(await imports.take_parts(c, scope, import_id)) + content
    return content.decode(errors="surrogatepass")


async def _arrived(c: WriteConnection, scope: Scope, import_id: UUID, content: bytes) -> Arrived:
    """Raises for an import that nobody begun, that is another person's, or that would become too large."""
    known = await imports.arrived(c, scope, import_id)
    if known is None or known.by != scope.actor:
        raise NotFound(f"there is no import {import_id}", "Begin again: one without its other parts is forgotten.")
    _check_size(known.size_bytes + len(content))
    return known


def _check_size(size_bytes: int) -> None:
    if size_bytes > MAX_IMPORT_BYTES:
        raise Invalid(f"the import is larger than {MAX_IMPORT_BYTES >> 20} MiB", "Divide it into several.")


async def forget_unfinished(c: WriteConnection, scope: Scope, now: datetime) -> None:
    """Of imports of which no other part came in time, what came is kept no longer."""
    await imports.forget(c, scope, await imports.forgettable(c, scope, now - KEPT))


async def _enter(c: WriteConnection, scope: Scope, changes: Changes, ask: ImportAsk, now: datetime) -> None:
    domain_ids = {wish.domain_id for wish in (*changes.added, *(wish for _, wish in changes.changed))}
    await hold_domains(c, scope, domain_ids)
    added = [entered(wish, scope, now, cidr=wish.cidr, source=ask.source, origin=ask.origin) for wish in changes.added]
    changed = [_changed(known, wish, scope, ask, now) for known, wish in changes.changed]
    await repository.add_ranges(c, scope, added)
    await repository.change_ranges(c, scope, changed)
    befores = {known.id: told(known) for known, _ in changes.changed}
    await _note(c, scope, ask, (*added, *changed), befores)
    await record_change(c, scope, sorted(domain_ids), now)


async def _note(
    c: WriteConnection,
    scope: Scope,
    ask: ImportAsk,
    entered: Sequence[EnteredRange],
    befores: Mapping[UUID, dict[str, object]],
) -> None:
    detail = {"source": ask.source.value, "origin": ask.origin, "ranges": len(entered)}
    for start in range(0, len(entered), _AUDITED_AT_ONCE):
        some = entered[start : start + _AUDITED_AT_ONCE]
        before = {node_id(_KIND, each.id): befores.get(each.id) for each in some}
        after = {node_id(_KIND, each.id): told(each) for each in some}
        about = (_KIND, str(some[0].id))
        await audit(c, scope, "addresses:range:import", *about, detail=detail, before=before, after=after)


def _changed(known: EnteredRange, wish: Wish, scope: Scope, ask: ImportAsk, now: datetime) -> EnteredRange:
    return replace(
        known,
        use=wish.use,
        name=wish.name,
        owner=wish.owner,
        note=wish.note,
        expires_at=wish.expires_at,
        source=ask.source,
        origin=ask.origin,
        changed_at=now,
        changed_by=scope.actor,
    )
