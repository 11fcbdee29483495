from structlog.testing import capture_logs

from periplus_hub.api.refused_connections import RefusedConnections

from tests.support.clock import FakeClock


def test_strangers_do_not_fill_the_log(clock: FakeClock) -> None:
    refusals = RefusedConnections("api", clock)
    with capture_logs() as logged:
        for _ in range(1_000):
            refusals.count("slow-head")
        clock.advance(59)
        refusals.count("full")
        clock.advance(1)
        refusals.count("full")
    told = [{key: line[key] for key in line if key not in {"event", "door", "log_level"}} for line in logged]
    assert told == [{"slow_head": 1}, {"slow_head": 999, "full": 2}]
