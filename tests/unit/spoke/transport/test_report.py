"""What a spoke says of itself may quote strangers: a relay, a Prometheus, a hub."""

from periplus_spoke.transport.report import Report


def test_a_condition_stays_one_line_whatever_it_quotes() -> None:
    report = Report()
    report.condition("hubble", "it says: \x1b[2Jé\nok\u202e")
    assert report.status.conditions == {"hubble": "it says:  [2Jé ok "}
    report.condition("hubble", "")
    assert report.status.conditions == {}
