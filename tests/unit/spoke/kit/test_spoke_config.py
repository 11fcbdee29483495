from pathlib import Path

import pytest

from periplus_spoke.kit.config import SpokeConfig, join_token, load
from periplus_spoke.kit.errors import ConfigError, Exit
from periplus_spoke.kit.settings import SETTINGS

HUB = {"hub": "https://hub.example:7946"}


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "spoke.toml"
    file.write_text('hub = "https://file"\ncluster_name = "file"\ncontext = "file"\nipam_interval_s = 30\n')
    environment = {"PERIPLUS_SPOKE_CLUSTER_NAME": "variable", "PERIPLUS_SPOKE_CONTEXT": "variable"}
    config = load({"context": "flag"}, environment, file)
    assert (config.hub, config.cluster_name, config.context) == ("https://file", "variable", "flag")
    assert config.ipam_interval_s == 30


def test_the_file_can_be_named_by_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "spoke.toml"
    file.write_text('hub = "https://file"\nlabel_keys = ["app", "team/*"]\n')
    assert load({}, {"PERIPLUS_SPOKE_CONFIG": str(file)}).label_keys == ("app", "team/*")


@pytest.mark.promise("settings-are-checked")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hub", "hub.example"),
        ("hub", "ftp://hub"),
        ("hub", "https://[::1"),
        ("hub", "https://hub:99999"),
        ("hub", "https://:7946"),
        ("allow_plain_http", "yes"),
        ("log_format", "xml"),
        ("health_port", "65536"),
        ("health_port", "x"),
        ("delta_interval_s", "nan"),
        ("delta_interval_s", "0"),
        ("outbox_max_bytes", "1"),
        ("ipam_interval_s", "9"),
        ("cluster_name", " "),
        ("label_keys", "a,,b"),
    ],
)
def test_a_bad_value_names_key_value_and_what_is_allowed(name: str, value: str) -> None:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    with pytest.raises(ConfigError) as flagged:
        load({**HUB, name: value}, {})
    assert setting.flag in flagged.value.message
    assert repr(value) in flagged.value.message
    assert setting.allowed in flagged.value.remedy
    with pytest.raises(ConfigError) as from_variable:
        load(HUB if name != "hub" else {}, {setting.variable: value})
    assert setting.variable in from_variable.value.message
    assert flagged.value.exit_code is Exit.USAGE


@pytest.mark.promise("secrets-are-not-shown")
@pytest.mark.parametrize(
    "url", ["https://user:secret@hub", "user:secret@hub", "https://user:se/c://secret@hub", "https://a:secret@b:x@hub"]
)
def test_a_password_in_a_url_is_refused_and_not_shown(url: str) -> None:
    for given in (lambda: load({"hub": url}, {}), lambda: load({}, {"PERIPLUS_SPOKE_HUB": url})):
        with pytest.raises(ConfigError) as refused:
            given()
        assert "secret" not in refused.value.message
        assert "hub" in refused.value.message.lower()
        assert "…" in refused.value.message


@pytest.mark.promise("settings-are-checked")
def test_unknown_keys_stop_the_start(tmp_path: Path) -> None:
    file = tmp_path / "spoke.toml"
    file.write_text('hub = "http://file"\nhub_url = "x"\n')
    with pytest.raises(ConfigError, match="hub_url"):
        load({}, {}, file)
    with pytest.raises(ConfigError, match="PERIPLUS_SPOKE_HUBB"):
        load(HUB, {"PERIPLUS_SPOKE_HUBB": "x"})


def test_variables_kubernetes_sets_for_a_service_of_our_name_are_not_ours() -> None:
    links = {
        "PERIPLUS_SPOKE_SERVICE_HOST": "10.0.0.1",
        "PERIPLUS_SPOKE_SERVICE_PORT": "7980",
        "PERIPLUS_SPOKE_SERVICE_PORT_METRICS": "7980",
        "PERIPLUS_SPOKE_PORT": "tcp://10.0.0.1:7980",
        "PERIPLUS_SPOKE_PORT_7980_TCP_ADDR": "10.0.0.1",
        "PERIPLUS_SPOKE_METRICS_SERVICE_HOST": "10.0.0.1",
    }
    assert load(HUB, links).hub == HUB["hub"]


@pytest.mark.parametrize("content", ["hub = ", "\xff", 'hub = "http://x"\nhealth_port = true\n'])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "spoke.toml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError):
        load({}, {}, file)


def test_without_a_hub_there_is_no_start() -> None:
    with pytest.raises(ConfigError, match="no hub"):
        load({}, {})


def test_the_join_token_comes_from_its_file_or_variable(tmp_path: Path) -> None:
    file = tmp_path / "token"
    config = load({**HUB, "join_token_file": str(file)}, {})
    assert join_token(config, {}) == ""
    file.write_text("id.secret\n")
    assert join_token(config, {}) == "id.secret"
    assert join_token(load(HUB, {}), {"PERIPLUS_SPOKE_JOIN_TOKEN": " id.other "}) == "id.other"


def test_every_field_is_a_setting() -> None:
    assert [setting.name for setting in SETTINGS] == list(SpokeConfig.__struct_fields__)


def test_only_a_check_does_without_a_hub() -> None:
    assert not load({}, {}, needs_hub=False).hub
    with pytest.raises(ConfigError, match="no hub is given"):
        load({}, {})


@pytest.mark.promise("secrets-are-not-shown")
@pytest.mark.parametrize(
    "hub", ["http://hub.example:7946", "http://10.0.0.1", "http://[fd00::1]:7946", "http://localhost.example"]
)
def test_a_hub_beyond_this_machine_is_not_spoken_to_in_clear(tmp_path: Path, hub: str) -> None:
    with pytest.raises(ConfigError, match="in clear") as refused:
        load({"hub": hub}, {})
    assert "--allow-plain-http" in refused.value.remedy
    assert "https://" in refused.value.remedy
    file = tmp_path / "spoke.toml"
    file.write_text(f'hub = "{hub}"\nallow_plain_http = true\n')
    assert load({}, {}, file).hub == hub
    assert load({"hub": hub}, {"PERIPLUS_SPOKE_ALLOW_PLAIN_HTTP": "true"}).hub == hub
    assert load({"hub": hub, "allow_plain_http": True}, {}).hub == hub


@pytest.mark.parametrize("hub", ["http://127.0.0.1:7946", "http://[::1]:7946", "http://localhost", "https://10.0.0.1"])
def test_on_this_machine_or_with_tls_nothing_has_to_be_allowed(hub: str) -> None:
    assert load({"hub": hub}, {}).hub == hub


def test_a_secret_for_prometheus_is_not_sent_in_clear() -> None:
    given = {**HUB, "prometheus_urls": "https://thanos.example,http://prometheus.monitoring:9090/select"}
    assert load(given, {}).prometheus_urls[1] == "http://prometheus.monitoring:9090/select"
    with pytest.raises(ConfigError, match=r"http://prometheus\.monitoring.*in clear"):
        load(given | {"prometheus_token_file": "/var/run/token"}, {})
    load(given | {"prometheus_token_file": "/var/run/token", "allow_plain_http": "true"}, {})
    with pytest.raises(ConfigError, match="both given"):
        load(
            given | {"prometheus_token_file": "/a", "prometheus_basic_auth_file": "/b", "allow_plain_http": "true"}, {}
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prometheus_urls", "prometheus:9090"),
        ("prometheus_urls", "http://user:secret@prometheus"),
        ("prometheus_selector", 'cluster="a"} or up{x="'),
        ("prometheus_selector", "cluster=a"),
        ("prometheus_replica_labels", "a) (vector(1)) or max without (b"),
        ("flow_sources", "istio,istio"),
        ("flow_sources", "linkerd"),
    ],
)
def test_what_would_change_a_question_to_prometheus_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match="is not allowed"):
        load({**HUB, name: value}, {})


@pytest.mark.promise("secrets-are-not-shown")
def test_a_secret_in_a_url_of_prometheus_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "spoke.toml"
    file.write_text('hub = "https://file"\nprometheus_urls = ["http://somebody:hunter2@prometheus"]\n')
    for flags, config in (({**HUB, "prometheus_urls": "http://a,http://somebody:hunter2@b"}, None), ({}, file)):
        with pytest.raises(ConfigError) as refused:
            load(flags, {}, config)
        assert "hunter2" not in refused.value.message


def test_matchers_of_promql_are_taken_as_they_are() -> None:
    selector = 'cluster="prod-1", env=~"a|b\\\\.c"'
    assert load({**HUB, "prometheus_selector": selector}, {}).prometheus_selector == selector


def test_exporters_are_read_only_where_no_prometheus_reads_them() -> None:
    given = {**HUB, "exporter_urls": "http://beyla.monitoring:8999/metrics,http://10.0.0.1:9/metrics"}
    assert load(given, {}).exporter_urls == ("http://beyla.monitoring:8999/metrics", "http://10.0.0.1:9/metrics")
    with pytest.raises(ConfigError, match="may have the same bytes"):
        load(given | {"prometheus_urls": "http://prometheus:9090"}, {})
    with pytest.raises(ConfigError, match=r"http://beyla\.monitoring.*in clear"):
        load(given | {"prometheus_token_file": "/var/run/token"}, {})
