"""What is not known of clusters, why, and what would tell it: sentences. Pure."""

from collections.abc import Collection, Sequence
from shlex import quote
from typing import Final

from periplus_hub.addresses.ipam.engine.feeding import right_to
from periplus_hub.addresses.ipam.engine.knowledge import Knowledge, Missing
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.words import PLURALS, RANGES, listed

_MOST_TOLD: Final = 4
_MOST_SOURCES: Final = 3
_FORBIDDEN: Final = "forbidden"


def not_known(parties: Sequence[Party], kinds: Collection[AllocationKind]) -> list[str]:
    """Of whom not all that matters is known, why, and what to do; of the first few each."""
    lacking = [(each, unknown) for each in parties if (unknown := each.unknown(kinds))]
    told = [_why(party, unknown) for party, unknown in lacking[:_MOST_TOLD]]
    more = [party.name for party, _ in lacking[_MOST_TOLD:]]
    return [*told, f"Not all is known of {listed(more)} either."] if more else told


def reach_not_known(names: str) -> str:
    """Of these clusters' pods."""
    return (
        f"Whether pods of {names} are reached from outside as they are, or leave behind their nodes, is not known: "
        "'periplus reach set pod routed CLUSTER --reason WHY', or masqueraded, says it."
    )


def _why(party: Party, kinds: Sequence[AllocationKind]) -> str:
    name = party.name
    if party.is_planned:
        return f"The plan of {name} does not say: {listed([RANGES[kind] for kind in kinds])}."
    if party.knowledge is Knowledge.PENDING:
        return f"{name} waits for approval, so nothing is known of it: 'periplus clusters approve {quote(name)}'."
    if party.knowledge is Knowledge.UNREAD:
        return f"Nothing is known of {name} yet: see 'periplus clusters show {quote(name)}'."
    if party.knowledge is Knowledge.STALE:
        lacks = _sources(party, tuple(party.lacking))
        before = f" Before, it lacked {listed([each.source for each in lacks])}." if lacks else ""
        return f"The spoke of {name} is silent: look at its pod and log.{before}"
    return f"Not all {listed([PLURALS[kind] for kind in kinds])} of {name} are known {_without(_sources(party, kinds))}"


def _sources(party: Party, kinds: Sequence[AllocationKind]) -> list[Missing]:
    """Each once, in the order of the kinds."""
    return list({each.source: each for kind in kinds for each in party.lacking.get(kind, ())}.values())


def _without(missing: Sequence[Missing]) -> str:
    first, more = missing[:_MOST_SOURCES], len(missing) - _MOST_SOURCES
    names = [f"{each.source} ({each.state})" for each in first]
    rights = [right for each in first if each.state == _FORBIDDEN and (right := right_to(each.source))]
    needs = f" It takes the right to {listed(rights)}." if rights else ""
    remedies = " ".join(dict.fromkeys(each.remedy for each in first))
    return f"without {listed([*names, *([f'{more} more sources'] if more > 0 else [])])}.{needs} {remedies}".rstrip()
