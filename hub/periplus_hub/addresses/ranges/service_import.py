"""Entering many ranges at once: all of them, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import audit
from periplus_hub.addresses.ranges import repository
from periplus_hub.addresses.ranges.engine.changes import Changes, changes_of
from periplus_hub.addresses.ranges.engine.csv_text import Trouble, read_csv
from periplus_hub.addresses.ranges.model import EnteredRange, RangeSource, Wish
from periplus_hub.addresses.ranges.service import entered, hold_domains, told
from periplus_hub.fleet.repository_changes import record_change
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.node_ids import node_id

_KIND: Final = "EnteredRange"
_LONGEST_ORIGIN: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportAsk:
    """A text of ranges, where it is from, and whether to enter them or only to say what that would change."""

    text: str
    source: RangeSource
    origin: str
    apply: bool


@dataclass(frozen=True, slots=True)
class ImportedRanges:
    """What changed, or would; with troubles nothing does. `domain_names` are of the network domains there are."""

    changes: Changes
    troubles: Sequence[Trouble]
    domain_names: Mapping[UUID, str]
    applied: bool


async def import_ranges(c: WriteConnection, scope: Scope, ask: ImportAsk, now: datetime) -> ImportedRanges:
    """Enter every range of the text, and change those that say something else by now; audited as one."""
    scope.require(Permission.RANGES_WRITE)
    if ask.source is RangeSource.ENTERED or len(ask.origin) > _LONGEST_ORIGIN or not ask.origin.isprintable():
        raise Invalid("an import is from CSV or NETBOX, of an address", "Leave the source out, or name another origin.")
    await repository.lock_ranges(c, scope)
    names = await repository.live_domains(c, scope)
    by_name = {name: domain_id for domain_id, name in names.items()}
    by_id = {node_id("NetworkDomain", domain_id): domain_id for domain_id in names}
    read = read_csv(ask.text, by_name | by_id, now)
    if read.troubles:
        return ImportedRanges(Changes((), (), 0), read.troubles, names, applied=False)
    known = await repository.ranges_in_force(c, scope, sorted({wish.domain_id for wish in read.wishes}))
    changes = changes_of({each.place: each for each in known}, read.wishes)
    if ask.apply and (changes.added or changes.changed):
        await _enter(c, scope, changes, ask, now)
    return ImportedRanges(changes, (), names, applied=ask.apply)


async def _enter(c: WriteConnection, scope: Scope, changes: Changes, ask: ImportAsk, now: datetime) -> None:
    domain_ids = {wish.domain_id for wish in (*changes.added, *(wish for _, wish in changes.changed))}
    await hold_domains(c, scope, domain_ids)
    added = [entered(wish, scope, now, cidr=wish.cidr, source=ask.source, origin=ask.origin) for wish in changes.added]
    changed = [_changed(known, wish, scope, ask, now) for known, wish in changes.changed]
    await repository.add_ranges(c, scope, added)
    await repository.change_ranges(c, scope, changed)
    was: dict[str, object] = {node_id(_KIND, each.id): None for each in added}
    was |= {node_id(_KIND, known.id): told(known) for known, _ in changes.changed}
    now_is = {node_id(_KIND, each.id): told(each) for each in (*added, *changed)}
    first = (*added, *changed)[0]
    detail = {"source": ask.source.value, "origin": ask.origin}
    await audit(c, scope, "addresses:range:import", _KIND, str(first.id), detail=detail, before=was, after=now_is)
    await record_change(c, scope, sorted(domain_ids), now)


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
