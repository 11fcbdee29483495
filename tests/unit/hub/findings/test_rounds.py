"""What a round of the detectors says of what they could not know."""

import pytest

from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.findings.service_detect import round_of

from tests.support.clock import START

DRAFT = FindingDraft(
    fingerprint="a", severity=FindingSeverity.WARNING, title="a", why="because", what_to_do="look at it"
)


@pytest.mark.promise("unknown-is-not-zero")
def test_what_is_not_known_of_some_is_counted_apart_from_what_is_near() -> None:
    near = Undecided("b", is_unknown=False)
    seen = {"none": None, "some": [DRAFT, Undecided("c"), Undecided("d"), near], "near": [near], "all": [DRAFT]}
    ended = round_of(seen, START)
    assert (ended.ended_at, ended.undecided, dict(ended.partly)) == (START, ("none",), {"some": 2})
