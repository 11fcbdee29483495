"""Kubeconfigs as people have them: broken, foreign, with plugins that fail; each names the thing and the remedy."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from periplus_spoke.kube.credential_plugin import run_plugin
from periplus_spoke.kube.credentials import InClusterCredentials
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials
from periplus_spoke.kube.problems import KubeProblem

from tests.support.kube_api import write_kubeconfig


async def reason_of(path: Path, context: str | None = None) -> KubeProblem:
    with pytest.raises(KubeProblem) as caught:
        await KubeconfigCredentials(str(path), context).load()
    return caught.value


def with_user(path: Path, user: dict[str, Any]) -> Path:
    content = yaml.safe_load(write_kubeconfig(path, "http://127.0.0.1:1").read_text())
    content["users"][0]["user"] = user
    path.write_text(yaml.safe_dump(content))
    return path


def plugin(path: Path, script: str) -> dict[str, Any]:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path)}


async def test_no_file(tmp_path: Path) -> None:
    problem = await reason_of(tmp_path / "none")
    assert (problem.reason, "none" in problem.message) == ("bad_kubeconfig", True)


@pytest.mark.parametrize("text", ["", "a: [", "[1]", "clusters: 3\ncontexts: 4\n", "contexts:\n- 7\n"])
async def test_a_file_that_is_no_kubeconfig(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    assert (await reason_of(path)).reason in {"bad_kubeconfig", "no_such_context"}


async def test_an_empty_file_among_others_is_none(tmp_path: Path) -> None:
    good = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1", context="prod")
    for text in ("", "# nothing yet\n"):
        (tmp_path / "empty").write_text(text)
        await KubeconfigCredentials(f"{tmp_path / 'empty'}:{good}", "prod").load()
    assert (await reason_of(tmp_path / "empty")).message.endswith("it has none")


async def test_an_unknown_context_names_those_there_are(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1", context="prod")
    problem = await reason_of(path, "stage")
    assert problem.reason == "no_such_context"
    assert "'stage'" in problem.message
    assert "prod" in problem.message


async def test_a_context_without_its_cluster(tmp_path: Path) -> None:
    path = tmp_path / "config"
    content = yaml.safe_load(write_kubeconfig(path, "http://127.0.0.1:1").read_text())
    content["clusters"] = []
    path.write_text(yaml.safe_dump(content))
    assert (await reason_of(path)).reason == "bad_kubeconfig"


A_KEY = base64.b64encode(b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n").decode()
NO_CERTIFICATE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n").decode()
HTTPS = "https://127.0.0.1:1"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"users": []}, "there is no user 'fake' in the file, which the context names"),
        ({"users": None}, "there is no user 'fake' in the file"),
        ({"clusters": []}, "there is no cluster 'fake' in the file"),
        ({"context": {"user": "fake"}}, "it names no cluster"),
        ({"context": None}, "it names no cluster"),
        ({"context": ["fake"]}, "it is not a mapping"),
        ({"context": {"cluster": 7}}, "cluster of it is not text"),
        ({"cluster": None}, "cluster 'fake' has no server"),
        ({"cluster": {"server": 7}}, "server of cluster 'fake' is not text"),
        ({"cluster": {"server": "api.example.org:6443"}}, "is not a URL like https://"),
        ({"cluster": {"server": "https://a:b"}}, "is not a URL like https://"),
        ({"cluster": {"server": HTTPS, "insecure-skip-tls-verify": "yes"}}, "is not true or false"),
        ({"cluster": {"server": HTTPS, "certificate-authority-data": "!!"}}, "is not PEM in base64"),
        ({"cluster": {"server": HTTPS, "certificate-authority-data": NO_CERTIFICATE}}, "no certificate that can be"),
        ({"user": ["token"]}, "user 'fake' is not a mapping"),
        ({"user": {"token": 7}}, "token of user 'fake' is not text"),
        ({"user": {"client-certificate-data": "TQ==", "client-key-data": A_KEY}}, "client-certificate-data of user"),
        ({"user": {"client-key-data": A_KEY}}, "user 'fake' has a client-key and no client-certificate"),
        ({"user": {"exec": "aws"}}, "exec of user 'fake' is not a mapping"),
        ({"user": {"exec": {"apiVersion": "v1"}}}, "exec of user 'fake' names no command"),
        ({"user": {"exec": {"command": "aws", "args": "eks"}}}, "args in exec of user 'fake' is not a list"),
        ({"user": {"exec": {"command": "aws", "env": ["A=1"]}}}, "env in exec of user 'fake' is not a list"),
        ({"user": {"exec": {"command": "no-such-plugin"}}}, "credential plugin 'no-such-plugin'"),
    ],
)
async def test_what_lacks_is_named_with_file_and_context(tmp_path: Path, broken: dict[str, Any], said: str) -> None:
    path = tmp_path / "config"
    content = yaml.safe_load(write_kubeconfig(path, HTTPS).read_text())
    for key, value in broken.items():
        if key in content:
            content[key] = value
        else:
            content[f"{key}s"][0][key] = value
    path.write_text(yaml.safe_dump(content))
    problem = await reason_of(path)
    assert problem.reason in {"bad_kubeconfig", "exec_plugin_missing"}
    assert problem.message.startswith(f"context 'fake' of {path}: ")
    assert said in problem.message
    assert problem.remedy


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x7fELF\x02\x01\x01\x00", "it is not YAML"),
        (b"a:\n  - [", "it is not YAML (line 2)"),
        (b"[1]", "it does not hold clusters, users and contexts"),
        (b"users: 3", "users is not a list"),
        (b"clusters: [api]", "an entry of clusters is not a mapping"),
        (b"contexts: [{context: {}}]", "an entry of contexts has no name"),
        (b"contexts: [{name: 7, context: {}}]", "an entry of contexts has no name, or one that is not text"),
        (b"current-context: [a]", "current-context is not text"),
    ],
)
async def test_what_makes_a_file_no_kubeconfig_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "config"
    path.write_bytes(content)
    problem = await reason_of(path)
    assert problem.message.startswith(f"{path} is not a kubeconfig: {said}")


@pytest.mark.parametrize("user", [None, {}, {"token": None}, {"client-key": "", "tokenFile": ""}])
@pytest.mark.parametrize("named", ["fake", None, ""])
async def test_a_context_may_ask_as_nobody(tmp_path: Path, user: object, named: str | None) -> None:
    path = tmp_path / "config"
    content = yaml.safe_load(write_kubeconfig(path, HTTPS).read_text())
    content["users"][0]["user"] = user
    content["contexts"][0]["context"]["user"] = named
    path.write_text(yaml.safe_dump(content))
    configuration = await KubeconfigCredentials(str(path)).load()
    assert (configuration.host, configuration.authorization()) == (HTTPS, "")


async def test_a_missing_certificate_file(tmp_path: Path) -> None:
    path = tmp_path / "config"
    content = yaml.safe_load(write_kubeconfig(path, "https://127.0.0.1:1").read_text())
    content["clusters"][0]["cluster"]["certificate-authority"] = str(tmp_path / "gone.pem")
    path.write_text(yaml.safe_dump(content))
    problem = await reason_of(path)
    assert problem.reason == "bad_kubeconfig"
    assert "gone.pem" in problem.message


async def test_a_plugins_token_is_used(tmp_path: Path) -> None:
    answer = json.dumps({"kind": "ExecCredential", "status": {"token": "from-plugin"}})
    spec = plugin(tmp_path / "plugin", f"echo '{answer}'")
    configuration = await KubeconfigCredentials(str(with_user(tmp_path / "config", {"exec": spec}))).load()
    assert configuration.api_key["BearerToken"] == "Bearer from-plugin"


async def test_a_plugin_that_is_not_installed_gives_its_own_hint(tmp_path: Path) -> None:
    spec = {"apiVersion": "v1", "command": "no-such-plugin-here", "installHint": "Install it from example.org."}
    problem = await reason_of(with_user(tmp_path / "config", {"exec": spec}))
    assert (problem.reason, problem.remedy) == ("exec_plugin_missing", "Install it from example.org.")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo first >&2; echo 'please log in' >&2; exit 3", "ended with 3: please log in"),
        ("echo not-json", "did not write an ExecCredential"),
        ("echo '{}'", "neither token nor certificate"),
        ("exec sleep 60", "no answer within"),
    ],
)
async def test_a_plugin_that_fails(tmp_path: Path, script: str, said: str) -> None:
    spec = plugin(tmp_path / "plugin", script)
    with pytest.raises(KubeProblem) as caught:
        await run_plugin(spec, {}, timeout_s=0.3 if "sleep" in script else 30)
    assert caught.value.reason == "exec_plugin_failed"
    assert said in caught.value.message


async def test_a_plugin_that_wants_the_cluster_gets_it(tmp_path: Path) -> None:
    answer = '{"status": {"token": "%s"}}'
    spec = plugin(tmp_path / "plugin", f"printf '{answer}' \"$(echo $KUBERNETES_EXEC_INFO | base64 -w0)\"")
    credential = await run_plugin({**spec, "provideClusterInfo": True}, {"server": "https://a", "other": "b"})
    info = json.loads(base64.b64decode(credential.token))
    assert info["spec"]["cluster"] == {"server": "https://a"}


async def test_outside_a_pod_there_are_no_pod_credentials(tmp_path: Path) -> None:
    with pytest.raises(KubeProblem) as caught:
        await InClusterCredentials(str(tmp_path / "token"), str(tmp_path / "ca")).load()
    assert "--kubeconfig" in caught.value.remedy


@pytest.mark.promise("secrets-are-not-shown")
async def test_a_plugin_never_sees_our_join_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERIPLUS_SPOKE_JOIN_TOKEN", "id.secret")
    monkeypatch.setenv("HOME_OF_THE_PLUGIN", "here")
    answer = '{"status": {"token": "%s"}}'
    spec = plugin(tmp_path / "plugin", f"printf '{answer}' \"$(env | grep -c PERIPLUS_)-$HOME_OF_THE_PLUGIN\"")
    assert (await run_plugin(spec, {})).token == "0-here"


async def test_a_relative_command_is_meant_from_the_kubeconfigs_folder(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    plugin(tmp_path / "bin" / "login", """echo '{"status": {"token": "t"}}'""")
    config = with_user(tmp_path / "config", {"exec": {"apiVersion": "v1", "command": "bin/login"}})
    assert (await KubeconfigCredentials(str(config)).load()).api_key["BearerToken"] == "Bearer t"


async def test_a_plugin_that_says_too_much_is_cut_short(tmp_path: Path) -> None:
    spec = plugin(tmp_path / "plugin", "head -c 3000000 /dev/zero | tr '\\0' x")
    with pytest.raises(KubeProblem, match="did not write an ExecCredential"):
        await run_plugin(spec, {})


async def test_of_several_files_the_first_counts_as_it_does_to_kubectl(tmp_path: Path) -> None:
    """The current context, and of two entries of a name the first; relative paths are meant from their own file."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(f"of-{name}")
        path = write_kubeconfig(tmp_path / name / "config", f"http://{name}.example", context=name)
        content = yaml.safe_load(path.read_text())
        content["contexts"].append({"name": "shared", "context": {"cluster": name, "user": name}})
        content["users"] = [{"name": "b" if name == "a" else "a", "user": {"tokenFile": "token"}}]
        path.write_text(yaml.safe_dump(content))
    both = f"{tmp_path / 'a' / 'config'}:{tmp_path / 'b' / 'config'}"
    current = await KubeconfigCredentials(both).load()
    assert (current.host, current.authorization()) == ("http://a.example", "Bearer of-b")
    assert (await KubeconfigCredentials(both, "shared").load()).host == "http://a.example"
    assert (await KubeconfigCredentials(both, "b").load()).authorization() == "Bearer of-a"


async def test_a_users_certificate_is_meant_from_the_users_file(tmp_path: Path) -> None:
    """And not from the cluster's, when that stands in another one."""
    (tmp_path / "users").mkdir()
    path = write_kubeconfig(tmp_path / "config", HTTPS)
    content = yaml.safe_load(path.read_text())
    halves = {"client-certificate": "me.crt", "client-key": "me.key"}
    (tmp_path / "users" / "config").write_text(yaml.safe_dump({"users": [{"name": "fake", "user": halves}]}))
    for name in halves.values():
        (tmp_path / "users" / name).touch()
    path.write_text(yaml.safe_dump(content | {"users": []}))
    found = await KubeconfigCredentials(f"{path}:{tmp_path / 'users' / 'config'}").load()
    assert found.cert_file == str(tmp_path / "users" / "me.crt")


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"tokenFile": "gone"}, "tokenFile of user 'fake': {folder}/gone: No such file or directory"),
        ({"tokenFile": "."}, "tokenFile of user 'fake': {folder}: Is a directory"),
        ({"client-certificate": "gone.crt", "client-key": "gone.key"}, "client-certificate of user 'fake': {folder}/"),
    ],
)
async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, user: dict[str, Any], said: str) -> None:
    problem = await reason_of(with_user(tmp_path / "config", user))
    assert problem.reason == "bad_kubeconfig"
    assert said.format(folder=tmp_path) in problem.message


async def test_of_a_token_and_a_token_file_the_file_counts(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of-the-file\n")
    path = with_user(tmp_path / "config", {"token": "written", "tokenFile": "token"})
    assert (await KubeconfigCredentials(str(path)).load()).authorization() == "Bearer of-the-file"


async def test_a_context_that_no_spoke_can_use_keeps_nobody_else_of_the_file_from_it(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", HTTPS)
    content = yaml.safe_load(path.read_text())
    content["contexts"] += [{"name": "empty", "context": None}, {"name": "odd", "context": {"cluster": 7}}]
    content["clusters"].append({"name": "wild", "cluster": {"server": 7, "proxy-url": "x"}})
    content["users"].append({"name": "strange", "user": {"as-groups": ["a"], "tokenFile": "gone"}})
    path.write_text(yaml.safe_dump(content))
    assert (await KubeconfigCredentials(str(path), "fake").load()).host == HTTPS
    assert "it names no cluster" in (await reason_of(path, "empty")).message
    assert "cluster of it is not text" in (await reason_of(path, "odd")).message
