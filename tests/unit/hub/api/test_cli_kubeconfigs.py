"""Finding contexts in kubeconfigs, good and bad."""

from itertools import combinations
from pathlib import Path

import pytest
from typer.testing import CliRunner

from periplus_contract.names import are_alike, why_no_name
from periplus_hub.api.cli import command_line
from periplus_hub.api.cli.exit_codes import Exit
from periplus_hub.api.cli.kubeconfigs import KubeconfigError, contexts, default_paths, merged, named
from periplus_hub.api.cli.try_command import cluster_names


def kubeconfig(path: Path, *names: str) -> Path:
    path.write_text(
        "contexts:\n"
        + "".join(f"- name: {name}\n  context: {{cluster: x, user: y}}\n" for name in names)
        + "clusters: [{name: x}]\nusers: [{name: y}]\n"
    )
    return path


def test_all_contexts_in_file_order(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "b", "a")
    assert contexts(path) == ["b", "a"]
    assert [each.context for each in named([path], []).chosen] == ["b", "a"]
    assert [each.context for each in named([path], ["a", "b", "a"]).chosen] == ["a", "b"]


def test_contexts_that_kubectl_hides_are_read_under_a_name_with_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three admin.conf of kubeadm have the same names for context, cluster and user."""
    admin = "kubernetes-admin@kubernetes"
    paths = []
    for name in ("alpha", "beta", "gamma"):
        (tmp_path / name).mkdir()
        paths.append(kubeconfig(tmp_path / name / "admin.conf", admin))
    paths.append(kubeconfig(tmp_path / "last.conf", admin, "other"))
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, [*paths, paths[0]])))
    offer = merged([])
    assert [each.label for each in offer.chosen] == [
        f"{admin} (alpha/admin.conf)",
        f"{admin} (beta/admin.conf)",
        f"{admin} (gamma/admin.conf)",
        f"{admin} (last.conf)",
        "other",
    ]
    assert [each.kubeconfig for each in offer.chosen] == [*map(str, paths), str(paths[3])]
    (note,) = offer.notes
    assert f"4 files of KUBECONFIG have a context '{admin}': {paths[0]}, {paths[1]}" in note
    assert [each.path for each in merged([admin]).chosen] == paths
    assert [each.path for each in merged([f"{admin} (beta/admin.conf)"]).chosen] == [paths[1]]
    assert cluster_names([each.label for each in offer.chosen]) == [each.label for each in offer.chosen]


def test_what_a_context_needs_of_other_files_is_found_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = kubeconfig(tmp_path / "own", "a")
    lacking = tmp_path / "lacking"
    lacking.write_text("contexts: [{name: b, context: {cluster: x, user: y}}, {name: c, context: {cluster: z}}]")
    users, again = tmp_path / "users", tmp_path / "again"
    users.write_text("users: [{name: y}]")
    again.write_text("users: [{name: y}]\nclusters: [{name: z}, 7]")
    monkeypatch.setenv("KUBECONFIG", f"{lacking}:{users}:{own}:{again}")
    assert [(each.context, each.kubeconfig) for each in merged([]).chosen] == [
        ("b", f"{lacking}:{own}:{users}"),
        ("c", f"{lacking}:{again}"),
        ("a", str(own)),
    ]


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize(
    ("text", "said"), [("{unclosed", "is not YAML"), ("[]", "names no context"), (None, "no kube")]
)
def test_a_file_that_is_none_is_named_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, said: str
) -> None:
    good, bad = kubeconfig(tmp_path / "good", "a"), tmp_path / "bad"
    if text is not None:
        bad.write_text(text)
    monkeypatch.setenv("KUBECONFIG", f"{bad}:{good}")
    for offer in (named([bad, good], []), merged([])):
        assert [each.context for each in offer.chosen] == ["a"]
        assert [each.others for each in offer.chosen] == [()]
    (unread,) = named([bad, good], []).unread
    assert (unread.name, said in unread.message, bool(unread.remedy)) == (str(bad), True, True)
    if text is None:
        assert (merged([]).unread, str(bad) in merged([]).notes[0]) == ((), True)
    else:
        assert merged([]).unread == (unread,)
    asked = named([bad, good], ["a"])
    assert (asked.unread, [said in note for note in asked.notes]) == ((), [True])


def test_a_context_that_stands_twice_in_a_file_is_not_lost(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "a", "b", "a")
    for wanted in ([], ["a"]):
        (unread,) = named([path], wanted).unread
        assert "several contexts 'a'" in unread.message
    assert named([path], ["b"]).unread == ()


def test_an_empty_file_of_kubeconfig_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "users").write_text("users: []")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/empty:{tmp_path}/users")
    with pytest.raises(KubeconfigError, match=r"empty, .*users names no context"):
        merged([])
    path = kubeconfig(tmp_path / "config", "a")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/empty:{path}:{tmp_path}/users")
    assert [each.context for each in merged([]).chosen] == ["a"]


def test_files_named_one_by_one_are_all_read(tmp_path: Path) -> None:
    """Many tools write a file per cluster, each with a context called 'default'."""
    first, second = kubeconfig(tmp_path / "1", "default"), kubeconfig(tmp_path / "2", "default", "b")
    offer = named([first, second, first], [])
    assert [(each.context, each.label) for each in offer.chosen] == [
        ("default", "default (1)"),
        ("default", "default (2)"),
        ("b", "b"),
    ]
    assert [each.kubeconfig for each in offer.chosen] == [str(first), str(second), str(second)]
    (tmp_path / "empty").touch()
    (unread,) = named([first, tmp_path / "empty"], []).unread
    assert unread.message.endswith("empty names no context")


def test_an_unknown_context_names_those_that_exist(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "prod", "stage")
    with pytest.raises(KubeconfigError) as caught:
        named([path], ["prod", "nope"])
    assert "'nope'" in caught.value.message
    assert "prod, stage" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{unclosed", "is not YAML"),
        ("[]", "names no context"),
        ("just text", "names no context"),
        ("contexts: []", "names no context"),
        ("contexts: hello", "names no context"),
        ("", "names no context"),
        ("contexts: [1, {name: ''}]", "names no context"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError) as caught:
        named([path], [])
    assert part in caught.value.message
    assert str(path) in caught.value.message


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="no kubeconfig at") as caught:
        contexts(tmp_path / "absent")
    assert "'periplus demo'" in caught.value.remedy
    with pytest.raises(KubeconfigError, match="cannot be read"):
        contexts(tmp_path)


def test_default_paths_follow_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert default_paths() == [tmp_path / ".kube" / "config"]
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/a:{tmp_path}/b")
    assert default_paths() == [tmp_path / "a", tmp_path / "b"]


def test_long_context_names_stay_distinct_and_short() -> None:
    arn = "arn:aws:eks:eu-west-1:111122223333:cluster/" + "x" * 100
    names = cluster_names([arn + "a", arn + "b", "prod"])
    assert len(set(names)) == 3
    assert all(name.startswith(arn[:80]) and len(name) <= 100 for name in names[:2])
    assert names[2] == "prod"


def test_context_names_that_no_hub_takes_are_changed_and_told_apart() -> None:
    uuid = "0192d7a0-1111-7222-8333-444455556666"
    labels = ["prod", "PROD", "Pr\u00f6d", "\u6771\u4eac", "\x1b[2J", uuid, f"Cluster:{uuid}", "prod-1", "prod-l"]
    names = cluster_names(labels)
    assert all(not why_no_name(name, 100) for name in names)
    assert not [(a, b) for a, b in combinations(names, 2) if are_alike(a, b)]
    assert (names[0], names[7]) == ("prod", "prod-1")
    assert names[5].startswith(f"cluster-{uuid}-")


@pytest.mark.parametrize("typed", [["--joined", ""], ["--joined", "prod,lab"], ["prod"]])
def test_a_name_that_try_does_not_take_is_told_what_does(typed: list[str]) -> None:
    result = CliRunner().invoke(command_line("try"), ["try", *typed])
    assert result.exit_code == Exit.USAGE
    assert f"as {typed[-1]!r} is" in result.stderr
    assert "Choose clusters with --context" in result.stderr
