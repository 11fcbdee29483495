import re

import pytest
from prometheus_client import CollectorRegistry

from periplus_hub.fleet.secrets import CREDENTIAL_PREFIX, JOIN_PREFIX, mint
from periplus_hub.kit import metrics
from periplus_hub.kit.crashpoint import NAMES, crashpoint
from periplus_hub.kit.logs import HIDDEN, hide_secrets, redacted


@pytest.mark.promise("secrets-are-not-shown")
@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer canary-secret-value",
        "postgresql://periplus:canary-secret-value@db/periplus",
        "token ppt_AbCd1234_canary-secret-value-canary-secret",
    ],
)
def test_secrets_inside_texts_are_hidden(text: str) -> None:
    assert "canary" not in redacted(text)
    assert HIDDEN in redacted(text)


@pytest.mark.promise("secrets-are-not-shown")
@pytest.mark.parametrize("prefix", [JOIN_PREFIX, CREDENTIAL_PREFIX])
def test_what_we_mint_is_recognised(prefix: str) -> None:
    minted = mint(prefix)
    assert minted.text.partition(".")[2] not in redacted(f"it was {minted.text}, they say")
    assert minted.public_id in redacted(minted.text)


@pytest.mark.promise("secrets-are-not-shown")
def test_secrets_under_their_names_are_hidden_at_any_depth() -> None:
    event = {"event": "x", "token": "canary", "inner": {"password": "canary", "list": ["Bearer canary"]}}
    assert "canary" not in str(hide_secrets(None, "info", event))


def test_what_names_a_secret_without_being_one_is_shown() -> None:
    event = {"event": "x", "admin_token_file": "/data/admin-token", "token_id": "7", "token_prefix": "ppt_AbCd1234"}
    assert hide_secrets(None, "info", dict(event)) == event


def test_metrics_say_what_they_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_documented", {})
    monkeypatch.setattr(metrics, "REGISTRY", CollectorRegistry())
    metrics.counter("periplus_unit_test_total", "Counts nothing.", ("of",)).labels("x").inc()
    [found] = [metric for metric in metrics.documented() if metric.name == "periplus_unit_test_total"]
    assert (found.type, found.labels) == ("counter", ("of",))
    assert b'periplus_unit_test_total{of="x"} 1.0' in metrics.exposition()
    assert b"_created" not in metrics.exposition()


@pytest.mark.parametrize(
    ("name", "help_text"), [("other_total", "A."), ("periplus_x", "A."), ("periplus_x_total", "no sentence")]
)
def test_a_metric_without_a_proper_name_or_help_is_refused(name: str, help_text: str) -> None:
    with pytest.raises(ValueError, match=name):
        metrics.counter(name, help_text)


def test_crash_points_do_nothing_unless_asked() -> None:
    for name in NAMES:
        crashpoint(name)
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", name) for name in NAMES)
