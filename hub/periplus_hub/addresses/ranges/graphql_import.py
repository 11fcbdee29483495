"""Entering many ranges at once, as people see it."""

from collections.abc import Iterator
from typing import Annotated, Final

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.scope import Permission
from periplus_hub.addresses.ranges import service_import
from periplus_hub.addresses.ranges.engine.csv_text import MAX_TROUBLES
from periplus_hub.addresses.ranges.model import RangeSource
from periplus_hub.addresses.ranges.service_import import ImportAsk, ImportedRanges
from periplus_hub.fleet.model import DOMAINS_TOPIC
from periplus_hub.kit.graphql import uuid_of
from periplus_hub.kit.graphql_prices import at_most
from periplus_hub.kit.graphql_scalars import Cidr
from periplus_hub.kit.node_ids import node_id

_SHOWN: Final = 1_000
_PART: Final = "RangeImport"


@strawberry.input(description="Ranges as CSV.")
class ImportRangesInput:
    """See addresses.ranges.service_import.import_ranges."""

    text: list[str] = strawberry.field(
        description="The CSV, cut anywhere: one text has at most 8,192 characters. The first line names the columns: "
        "cidr, domain, use, and any of name, owner, note, expires_at."
    )
    more: bool = strawberry.field(
        default=False,
        description="Whether this is not all: then it is only kept, and the answer's `awaits` is what the next part "
        "`continues`. An import may have 8 MiB.",
    )
    continues: strawberry.ID | None = strawberry.field(
        default=None, description="What the answer to the part before awaits; null for the first part."
    )
    source: RangeSource = strawberry.field(default=RangeSource.CSV, description="CSV or NETBOX.")
    origin: str = strawberry.field(default="", description="The address of the NetBox, else empty.")
    apply: bool = strawberry.field(default=False, description="Enter them; without it only what would change is said.")


@strawberry.type(description="A fault in a line of an import.")
class ImportTrouble:
    """addresses.ranges.engine.csv_text.Trouble."""

    line: int = strawberry.field(description="Its number; the heading is line 1.")
    message: str = strawberry.field(description="What is wrong.")
    remedy: str = strawberry.field(description="What to do.")


@strawberry.type(description="A range that an import enters or changes.")
class ImportChange:
    """One of addresses.ranges.engine.changes.Changes."""

    cidr: Cidr = strawberry.field(description="The range.")
    domain_name: str = strawberry.field(description="Its network domain's name.")
    is_new: bool = strawberry.field(description="Whether it was not there before.")


@strawberry.type(description="What an import changed, or would change. It takes all ranges or none.")
class RangeImport:
    """addresses.ranges.service_import.ImportedRanges."""

    applied: bool = strawberry.field(description="Whether the ranges are entered now.")
    awaits: strawberry.ID | None = strawberry.field(
        description="What the next part has to continue; null when that was all. After an hour it is forgotten."
    )
    added: int = strawberry.field(description="How many are new.")
    changed: int = strawberry.field(description="How many were there and said something else.")
    same: int = strawberry.field(description="How many are there just so.")
    troubles: list[ImportTrouble] = strawberry.field(
        description="Faults of the text: with any, nothing is entered.", directives=at_most(1)
    )
    changes: list[ImportChange] = strawberry.field(
        description="The first thousand that are new or changed.", directives=at_most(10)
    )

    @classmethod
    def of(cls, done: ImportedRanges) -> "RangeImport":
        """The answer."""
        return cls(
            applied=done.applied,
            awaits=None if done.awaits is None else strawberry.ID(node_id(_PART, done.awaits)),
            added=len(done.changes.added),
            changed=len(done.changes.changed),
            same=done.changes.same,
            troubles=[
                ImportTrouble(line=each.line, message=each.message, remedy=each.remedy)
                for each in done.troubles[:MAX_TROUBLES]
            ],
            changes=list(_changes(done))[:_SHOWN],
        )


def _changes(done: ImportedRanges) -> Iterator[ImportChange]:
    wishes = [*((wish, True) for wish in done.changes.added), *((wish, False) for _, wish in done.changes.changed)]
    for wish, is_new in wishes:
        yield ImportChange(cidr=Cidr(wish.cidr), domain_name=done.domain_names[wish.domain_id], is_new=is_new)


@strawberry.type
class ImportMutation:
    """The mutation of imports."""

    @mutation(
        Permission.RANGES_WRITE,
        "Enter many ranges, all or none, or say what that would change.",
        answers="What changed or would, or why nothing can.",
    )
    async def import_ranges(
        self,
        info: Info,
        input: Annotated[ImportRangesInput, strawberry.argument(description="The ranges.")],  # noqa: A002 - GraphQL's usual name
    ) -> RangeImport:
        """They count at once."""
        context = info.context
        ask = ImportAsk(
            text="".join(input.text),
            source=input.source,
            origin=input.origin,
            apply=input.apply,
            continues=None if input.continues is None else uuid_of(input.continues, _PART),
            more=input.more,
        )
        async with context.write() as c:
            done = await service_import.import_ranges(c, context.scope, ask, context.clock.now())
        for domain_id in {wish.domain_id for wish in done.changes.added} if done.applied else ():
            context.announce(context.scope.tenant_id, DOMAINS_TOPIC, id=str(domain_id))
        return RangeImport.of(done)
