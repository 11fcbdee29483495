"""Finding contexts in kubeconfigs, good and bad."""

from pathlib import Path

import pytest

from periplus_hub.api.cli.kubeconfigs import KubeconfigError, chosen, contexts, default_paths
from periplus_hub.api.cli.try_command import cluster_name


def kubeconfig(path: Path, *names: str) -> Path:
    path.write_text("contexts:\n" + "".join(f"- name: {name}\n  context: {{cluster: x, user: y}}\n" for name in names))
    return path


def test_all_contexts_in_file_order(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "b", "a", "b")
    assert contexts(path) == ["b", "a"]
    assert chosen([path], []) == [("b", path), ("a", path)]


def test_the_first_file_that_has_a_context_wins(tmp_path: Path) -> None:
    first, second = kubeconfig(tmp_path / "1", "a"), kubeconfig(tmp_path / "2", "a", "b")
    assert chosen([first, second], []) == [("a", first), ("b", second)]


def test_an_unknown_context_names_those_that_exist(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "prod", "stage")
    with pytest.raises(KubeconfigError) as caught:
        chosen([path], ["prod", "nope"])
    assert "'nope'" in caught.value.message
    assert "prod, stage" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{unclosed", "is not YAML"),
        ("[]", "names no context"),
        ("just text", "names no context"),
        ("contexts: []", "names no context"),
        ("contexts: [1, {name: ''}]", "names no context"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError) as caught:
        contexts(path)
    assert part in caught.value.message
    assert str(path) in caught.value.message


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="no kubeconfig at"):
        contexts(tmp_path / "absent")
    with pytest.raises(KubeconfigError, match="cannot be read"):
        contexts(tmp_path)


def test_default_paths_follow_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert default_paths() == [tmp_path / ".kube" / "config"]
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/a:{tmp_path}/b")
    assert default_paths() == [tmp_path / "a", tmp_path / "b"]
    (tmp_path / "b").touch()
    assert default_paths() == [tmp_path / "b"]


def test_long_context_names_stay_distinct_and_short() -> None:
    arn = "arn:aws:eks:eu-west-1:111122223333:cluster/" + "x" * 100
    names = {cluster_name(arn + end) for end in ("a", "b")}
    assert len(names) == 2
    assert all(len(name) == 100 for name in names)
    assert cluster_name("prod") == "prod"
