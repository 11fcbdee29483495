"""Under load the log is always ahead of the standbys: what is settled is what an earlier look at it showed."""

from uuid import UUID

from periplus_hub.ingest.model import BatchKey, Replication
from periplus_hub.ingest.settlement import Settlement

from tests.support.clock import FakeClock

KEY = BatchKey(sender_id=UUID(int=1), is_agent=False, epoch=UUID(int=2), seq=9, oldest_held=1)


def look(written: int, flushed: int | None) -> Replication:
    return Replication(history="one", written=written, synchronous=True, seen=True, flushed=flushed)


def test_the_older_sighting_is_kept_until_the_standbys_have_it() -> None:
    settlement = Settlement(FakeClock(), 120)
    told = [
        settlement._proven(KEY, shown, look(written, flushed))
        for shown, written, flushed in ((3, 100, 50), (5, 200, 90), (7, 300, 120), (8, 400, 290), (9, 500, 301))
    ]
    assert told == [0, 0, 3, 0, 7]


def test_standbys_that_have_the_whole_log_have_what_it_shows() -> None:
    settlement = Settlement(FakeClock(), 120)
    assert settlement._proven(KEY, 3, look(100, 100)) == 3
    assert settlement._proven(KEY, 4, look(200, None)) == 0
    assert settlement._proven(KEY, 5, look(300, 250)) == 4
