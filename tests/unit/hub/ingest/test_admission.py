from uuid import UUID

import pytest

from periplus_contract import limits, problems
from periplus_hub.fleet.wire import RefusedError
from periplus_hub.ingest.admission import Admission

ONE, TWO = UUID(int=1), UUID(int=2)
MIB = 1024 * 1024


@pytest.mark.promise("spokes-get-their-share")
def test_a_spoke_gets_its_share_of_slots_and_no_more() -> None:
    admission = Admission(max_bytes=64 * MIB, max_per_spoke=2)
    with admission.slot(ONE), admission.slot(ONE), admission.slot(TWO):
        with pytest.raises(RefusedError) as refused, admission.slot(ONE):
            pass
        assert refused.value.problem is problems.SLOW_DOWN
        assert refused.value.retry_after_s is not None
    with admission.slot(ONE):
        assert admission.bytes_in_flight == limits.MAX_COMPRESSED_BYTES


@pytest.mark.promise("spokes-get-their-share")
def test_memory_is_promised_before_it_is_used() -> None:
    admission = Admission(max_bytes=40 * MIB, max_per_spoke=9)
    with admission.room(16 * MIB), admission.room(16 * MIB):
        with pytest.raises(RefusedError) as refused, admission.room(16 * MIB):
            pass
        assert refused.value.problem is problems.OVERLOADED
        assert admission.bytes_in_flight == 32 * MIB
    assert admission.bytes_in_flight == 0


def test_a_batch_that_fails_gives_its_room_back() -> None:
    admission = Admission(max_bytes=40 * MIB, max_per_spoke=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), admission.slot(ONE), admission.room(30 * MIB):
            raise ZeroDivisionError
    assert admission.bytes_in_flight == 0
