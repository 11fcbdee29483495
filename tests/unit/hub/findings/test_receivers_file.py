"""The file of receivers: what it says, and every way of getting it wrong."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from periplus_hub.api.config import load_config
from periplus_hub.findings.model import FindingSeverity
from periplus_hub.findings.model_receivers import Receiver, ReceiverKind
from periplus_hub.findings.receivers_file import ReceiversFileError, read_receivers
from periplus_hub.kit.config import ConfigError

CRITICAL, WARNING, INFO = FindingSeverity
GOOD = 'name = "a"\nkind = "webhook"\nurl = "https://hooks.example.org/a"\n'


def read(folder: Path, *receivers: str) -> tuple[Receiver, ...]:
    file = folder / "receivers.toml"
    file.write_text("".join(f"[[receiver]]\n{each}\n" for each in receivers))
    return read_receivers(file)


def test_what_is_left_out_has_defaults_and_secrets_are_in_files(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://hooks.slack.com/services/T/B/x\n")
    (tmp_path / "token").write_text("t0ken\n")
    slack, alerts = read(
        tmp_path,
        'name = "chat"\nkind = "slack"\nurl_file = "url"',
        'name = "alerts"\nkind = "alertmanager"\nurl = "http://10.0.0.7:9093/"\ntoken_file = "token"\n'
        'severity = "info"\ndetectors = ["full-pools"]\nwait_s = 0\ntenant = "*"',
    )
    assert (slack.kind, slack.url) == (ReceiverKind.SLACK, "https://hooks.slack.com/services/T/B/x")
    assert (slack.severity, slack.wait, slack.tenant) == (WARNING, timedelta(minutes=1), "default")
    assert (alerts.url, alerts.token, alerts.detectors) == ("http://10.0.0.7:9093", "t0ken", ("full-pools",))
    assert (slack.hears_of("default"), slack.hears_of("other"), alerts.hears_of("other")) == (True, False, True)


@pytest.mark.parametrize(
    ("receiver", "words"),
    [
        ('kind = "slack"\nurl = "https://a.test"', "name"),
        ('name = "A b"\nkind = "slack"\nurl = "https://a.test"', "name"),
        ('name = "a"\nkind = "email"\nurl = "https://a.test"', "email"),
        ('name = "a"\nkind = "slack"', "set url, or url_file"),
        (GOOD + 'url_file = "x"', "and not both"),
        ('name = "a"\nkind = "slack"\nurl = "hooks.example.org"', "url is no URL like https://"),
        ('name = "a"\nkind = "slack"\nurl = "https://me:pw@example.org"', "without a user name"),
        (GOOD + 'severity = "bad"', "severity"),
        (GOOD + 'detectors = ["full-pool"]', "no detector 'full-pool'; known are allocator-against-pods"),
        (GOOD + "wait_s = -1", "wait_s"),
        (GOOD + 'quiet_hours = "22-7"', "quiet_hours is '22-7': write it like 22:00-07:00"),
        (GOOD + 'quiet_hours = "22:00-22:00"', "begin and end at the same time"),
        (GOOD + 'quiet_hours = "22:00-07:00"\nquiet_time_zone = "Mars/Phobos"', "Mars/Phobos"),
        (GOOD.replace("webhook", "alertmanager") + 'quiet_hours = "22:00-07:00"', "has time intervals of its own"),
        ('name = "a"\nkind = "slack"\nurl = "https://a.test:port/"', "url is no URL like https://"),
        ('name = "a"\nkind = "slack"\nurl_file = "umlaut"', "umlaut: it has to hold one line of ASCII"),
        (GOOD + 'token_file = "missing"', "token_file is .*missing, which cannot be read"),
        (GOOD + 'webhook = "x"', "known keys are name, kind"),
        ('name = "a"\nkind = "slack"\nurl = "https://a.test"\nsecret_file = "s"', "secret_file signs for webhook"),
    ],
)
def test_what_is_wrong_is_named_with_its_receiver_and_key(tmp_path: Path, receiver: str, words: str) -> None:
    (tmp_path / "s").write_text("secret")
    (tmp_path / "umlaut").write_text("https://a.test/\u00e4")
    with pytest.raises(ReceiversFileError, match=rf"receivers\.toml, receiver .*{words}"):
        read(tmp_path, receiver)


@pytest.mark.parametrize("second", ["", 'tenant = "*"\n'])
def test_no_tenant_hears_of_two_by_one_name(tmp_path: Path, second: str) -> None:
    with pytest.raises(ReceiversFileError, match=r"two receivers of tenant .* are called 'a'"):
        read(tmp_path, GOOD, second + GOOD)
    assert len(read(tmp_path, GOOD, 'tenant = "other"\n' + GOOD)) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [("receiver = 3", "write \\[\\[receiver\\]\\]"), ("[receivers]", "no 'receivers' at its top"), ("=", "not TOML")],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "receivers.toml").write_text(content)
    with pytest.raises(ReceiversFileError, match=words):
        read_receivers(tmp_path / "receivers.toml")


def test_no_secret_is_told_of_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("hunter2\nhunter3")
    with pytest.raises(ReceiversFileError) as refused:
        read(tmp_path, GOOD + 'secret_file = "s"')
    assert "hunter" not in str(refused.value)


def test_a_hub_does_not_start_with_receivers_that_it_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in os.environ:
        if name.startswith("PERIPLUS_"):
            monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match=r"no\.toml cannot be read: No such file"):
        load_config(None, {"receivers_file": tmp_path / "no.toml"})
    with pytest.raises(ConfigError, match=r"--receivers-networks: .*write a range like"):
        load_config(None, {"receivers_networks": ("10.0.0.0/33",)})


def test_quiet_hours_are_those_of_the_place(tmp_path: Path) -> None:
    [night, noon] = read(
        tmp_path,
        GOOD + 'quiet_hours = "22:00-07:00"\nquiet_time_zone = "Europe/Berlin"',
        'name = "b"\nkind = "webhook"\nurl = "https://b.test"\nseverity = "info"\nquiet_hours = "12:00-13:00"\n'
        'quiet_severity = "warning"',
    )

    def at(hour: int, minute: int = 0, *, month: int = 1) -> datetime:
        return datetime(2026, month, 10, hour, minute, tzinfo=UTC)

    assert [night.is_quiet(at(*each)) for each in [(20, 59), (21, 0), (3, 0), (5, 59), (6, 0)]] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert night.is_quiet(at(20, 30, month=7)), "it is 22:30 in summer"
    assert night.told_severities(at(3)) == (CRITICAL,)
    assert night.told_severities(at(8)) == (CRITICAL, WARNING)
    assert noon.told_severities(at(12, 30)) == (CRITICAL, WARNING)
    assert noon.told_severities(at(13)) == (CRITICAL, WARNING, INFO)
