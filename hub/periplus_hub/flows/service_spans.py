"""Adds up the hours that most questions are about, so that they read one row of an edge and not one for each hour.

A span is made anew when one of its hours was. What is made is never changed, and is asked only while its hours are what
it was made of: otherwise the hours are asked, so answers are the same with a span and without.
"""

from typing import Final
from uuid import UUID

import structlog

from periplus_hub.access.scope import Scope
from periplus_hub.flows import repository_span_edges, repository_spans
from periplus_hub.flows.model import HOUR_S, Hours, Span, spans_wanted
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import Database

_log: Final = structlog.get_logger(__name__)


class Spans:
    """Of one process. What nobody asks any more goes in the round after: a question may be on its way."""

    def __init__(self, db: Database, store: ColumnStore) -> None:
        self._db = db
        self._store = store
        self._unasked: dict[UUID, set[int]] = {}

    async def refresh(self, scope: Scope, now_s: int) -> int:
        """Make every span that is wanted and is not there; returns how many."""
        stored = await repository_span_edges.stored(scope, self._store)
        async with self._db.read(scope) as c:
            usable = await repository_spans.usable_spans(c, scope)
        whole = {(each.first, each.until): each for each in usable if stored.get(each.place) == each.rows}
        kept, made = set(), 0
        for hours in spans_wanted(now_s):
            span = whole.get((hours.first, hours.until))
            if span is None:
                span = await self._make(scope, hours, stored)
                made += span is not None
            if span is not None:
                kept.add(span.place)
        lately = now_s // HOUR_S * HOUR_S - HOUR_S
        await self._forget(scope, set(stored), kept | {each.place for each in usable if each.until >= lately})
        return made

    async def _make(self, scope: Scope, hours: Hours, stored: dict[int, int]) -> Span | None:
        """The version was read first: an hour that is made meanwhile has another, and the span is not asked."""
        async with self._db.read(scope) as c:
            version = await repository_spans.version_of(c, scope, hours)
            days = await repository_spans.days_within(c, scope, hours)
        if not version:
            return None
        place = _next_place(hours, stored)
        of_hours = await repository_span_edges.of_hours(scope, self._store, hours)
        for some in (days, []) if days else ([],):
            made = await repository_span_edges.make(scope, self._store, hours, place, some, rows=of_hours.rows)
            stored[place] = made.rows
            if made.sums == of_hours.sums:
                break
        else:
            _log.info("flow_span_differs", first=hours.first, until=hours.until)
            return None
        crashpoint("flows.span_made")
        span = Span(first=hours.first, until=hours.until, place=place, rows=made.rows)
        async with self._db.write(scope) as c:
            await repository_spans.note_span(c, scope, span, version)
        return span

    async def _forget(self, scope: Scope, stored: set[int], kept: set[int]) -> None:
        async with self._db.write(scope) as c:
            await repository_spans.forget_spans_but(c, scope, kept)
            asked = await repository_spans.places(c, scope)
        unasked = stored - asked
        for place in sorted(unasked & self._unasked.get(scope.tenant_id, set())):
            await repository_span_edges.forget(scope, self._store, place)
        self._unasked[scope.tenant_id] = unasked


def _next_place(hours: Hours, stored: dict[int, int]) -> int:
    """After all that the store has of spans that begin with the same hour, so that none is taken for another."""
    last = max((each for each in stored if each - each % HOUR_S == hours.first), default=hours.first)
    return hours.first + (last - hours.first) % (HOUR_S - 1) + 1
