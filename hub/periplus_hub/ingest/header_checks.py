"""What a header must satisfy before anything is inflated. Pure.

Every number in a header is the word of a stranger: each is held against its range here, so that later code may
allocate and compute with it. What is wrong decides the problem: sizes can be split (413), the rest is dead-lettered.
What only batches of one kind say is held by the order of that kind.
"""

from typing import Final
from uuid import UUID

from periplus_contract import limits, problems, tables
from periplus_contract.batch import Header, Section, is_epoch
from periplus_contract.outcomes import Outcome
from periplus_contract.version import CONTRACT, Version, accepts
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.fleet.model import SpokePrincipal
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

MAX_INT: Final = 2**63 - 1


def check(header: Header, principal: SpokePrincipal) -> UUID:
    """The batch's epoch; raises SpokeRequestRefusal naming the first thing that is wrong."""
    _check_version(header.contract)
    _check_identity(header, principal)
    if not tables.TABLES[header.kind]:
        raise SpokeRequestRefusal(problems.UNSUPPORTED_KIND, f"kind {header.kind.value!r} is not taken by this hub")
    epoch = _epoch(header.epoch)
    _check_ranges(header)
    _check_sizes(header)
    _check_sections(header)
    _check_outcomes(header.outcomes)
    _check_covers(header.covers)
    return epoch


def _invalid(detail: str) -> SpokeRequestRefusal:
    return SpokeRequestRefusal(problems.INVALID_BATCH, detail)


def _check_version(text: str) -> None:
    try:
        version = Version.parse(text)
    except ValueError as error:
        raise _invalid(str(error)) from error
    if not accepts(version):
        raise SpokeRequestRefusal(
            problems.UNSUPPORTED_VERSION, f"contract {text[:32]} is not accepted; this hub is {CONTRACT}"
        )


def _check_identity(header: Header, principal: SpokePrincipal) -> None:
    own_id = str(principal.sender_id)
    if header.registration != own_id:
        detail = f"the batch names registration {header.registration[:64]!r}; its credential is for {own_id}"
        kind = "Cluster" if principal.agent_id is None else "NodeAgent"
        audited = RefusedAttempt(
            "spoke:registration:refuse", "a batch of another registration", kind, own_id, principal.tenant_id
        )
        raise SpokeRequestRefusal(problems.WRONG_IDENTITY, detail, audited=audited)


def _epoch(text: str) -> UUID:
    if not is_epoch(text):
        raise _invalid(f"epoch {text[:64]!r} is not a UUIDv7 in lower case, of a time before 2100")
    return UUID(text)


def _check_ranges(header: Header) -> None:
    ranges = {
        "seq": (header.seq, 1, MAX_INT),
        "oldest_held_seq": (header.oldest_held_seq, 1, MAX_INT),
        "window_start_s": (header.window_start_s, 0, limits.LATEST_S),
        "window_s": (header.window_s, 0, limits.MAX_WINDOW_S),
        "sealed_at_us": (header.sealed_at_us, 0, limits.LATEST_S * 1_000_000),
        "monotonic_us": (header.monotonic_us, 0, MAX_INT),
        "rows": (header.rows, 0, MAX_INT),
        "inflated_bytes": (header.inflated_bytes, 0, MAX_INT),
    }
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise _invalid(f"{name} must be in {low}..{high}, not {value}")


def _check_sizes(header: Header) -> None:
    if header.rows > limits.MAX_ROWS:
        raise SpokeRequestRefusal(problems.TOO_LARGE, f"{header.rows} rows exceed {limits.MAX_ROWS}")
    if header.inflated_bytes > limits.MAX_INFLATED_BYTES:
        detail = f"{header.inflated_bytes} inflated bytes exceed {limits.MAX_INFLATED_BYTES}"
        raise SpokeRequestRefusal(problems.TOO_LARGE, detail)


def _check_sections(header: Header) -> None:
    sections = header.sections
    if len(sections) > limits.MAX_SECTIONS:
        raise _invalid(f"{len(sections)} sections exceed {limits.MAX_SECTIONS}")
    if len({section.table for section in sections}) != len(sections):
        raise _invalid("a table appears in more than one section")
    for section in sections:
        _check_section(section)
    if sum(section.rows for section in sections) != header.rows:
        raise _invalid("the sections' rows do not add up to the header's")
    if sum(section.inflated_bytes for section in sections) != header.inflated_bytes:
        raise _invalid("the sections' inflated bytes do not add up to the header's")


def _check_section(section: Section) -> None:
    if section.rows < 0 or section.inflated_bytes < 0:
        raise _invalid(f"section {section.table[:64]!r} has negative sizes")


def _check_outcomes(outcomes: tuple[Outcome, ...]) -> None:
    if len(outcomes) > limits.MAX_OUTCOMES:
        raise _invalid(f"{len(outcomes)} outcomes exceed {limits.MAX_OUTCOMES}")
    for outcome in outcomes:
        check_outcome(outcome)


def check_outcome(outcome: Outcome) -> None:
    """Raise SpokeRequestRefusal when an outcome's numbers cannot be summed."""
    counts = (outcome.collected, outcome.folded, *outcome.dropped.values())
    if not all(0 <= count <= limits.MAX_ROWS_PER_OUTCOME for count in counts):
        raise _invalid("an outcome counts fewer than no rows, or absurdly many")
    if outcome.hour_start_s % 3600 or not 0 <= outcome.hour_start_s <= limits.LATEST_S:
        raise _invalid(f"outcome hour {outcome.hour_start_s} is not the start of an hour")
    too_long = any(len(each) > limits.MAX_REASON_LENGTH or "\0" in each for each in outcome.dropped)
    if len(outcome.dropped) > limits.MAX_DROP_REASONS or too_long:
        raise _invalid("an outcome has too many or too long reasons")


def _check_covers(covers: tuple[str, ...]) -> None:
    if len(covers) > limits.MAX_COVERS or any(len(each) > limits.MAX_COVER_LENGTH or "\0" in each for each in covers):
        raise _invalid("the batch covers too many things, or things with too long names")
