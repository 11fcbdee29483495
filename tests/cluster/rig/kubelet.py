"""The kubelet's part, for a cluster that has none: runs the pods of a workload as processes, as its template says.

What is taken from the API server: command, arguments, environment, ports, ConfigMaps, Secrets, the ServiceAccount's
token, ids, capabilities, and whether the root file system may be written. What stands for the image is this checkout
with its Python, mounted at its own path into a root of its own, read-only.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.kubelet_volumes import Volumes
from tests.cluster.rig.processes import Child
from tests.support.shown_commands import ROOT

Json = dict[str, Any]
_SYSTEM = tuple(Path(f"/{name}") for name in ("usr", "bin", "lib", "lib32", "lib64", "sbin"))
_ACCOUNT = 65_532
_EXEC_S = 60.0
_IMAGE = {
    "PATH": f"{Path(sys.prefix) / 'bin'}:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
}
"""What the images set."""


@dataclass(frozen=True)
class Pod:
    """A pod that runs, or ran."""

    child: Child
    environment: Mapping[str, str]
    become: Sequence[str]

    def log(self) -> str:
        """All that it wrote."""
        return self.child.log.read_text(errors="replace")

    def exec(self, *command: str) -> str:
        """What a command prints in the running container, as with `kubectl exec`."""
        init = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()[0]
        enter = ["/usr/bin/nsenter", "--target", init, "--mount", "--pid", "--root", "--wd=/"]
        done = subprocess.run(
            [*enter, "setpriv", *self.become, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=_EXEC_S,
            env=dict(self.environment),
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def finished(self, timeout_s: float = _EXEC_S) -> int:
        """The exit code of one that ends by itself."""
        try:
            return self.child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.child.name} did not end:\n{self.child.tail()}") from None


class Kubelet:
    """One node of one cluster. `hosts` are names that pods resolve, as the cluster's DNS would.

    The test `needs("pods")`.
    """

    def __init__(self, plane: ControlPlane, folder: Path, hosts: Mapping[str, str], node: str = "node-1") -> None:
        self._plane = plane
        self._folder = folder
        self._hosts = hosts
        self._node = node
        self._pods: list[Pod] = []

    def start(self, workload: Json) -> Pod:
        """The first pod of a Deployment, StatefulSet, DaemonSet or Job, as the API server has it."""
        meta, spec = workload["metadata"], workload["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        name = f"{meta['name']}-0"
        home = self._folder / meta["namespace"] / f"{name}.{len(self._pods)}"
        home.mkdir(parents=True)
        mounts = Volumes(self._plane, self._folder, home, meta["namespace"]).mounted(workload, name)
        environment = _IMAGE | self._environment(meta["namespace"], container)
        become = _privileges(spec.get("securityContext", {}), container["securityContext"])
        script = home / "start.sh"
        script.write_text(self._script(home / "root", container, mounts, become))
        given = [f"{key}={value}" for key, value in environment.items()]
        unshare = ["/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        child = Child(name, [*unshare, "/usr/bin/env", "-i", *given, "/bin/sh", str(script)], home / "log")
        pod = Pod(child, environment, become)
        self._pods.append(pod)
        child.start()
        return pod

    def stop(self) -> None:
        """End what runs, the hard way: in a namespace of its own nothing of it is left."""
        for pod in reversed(self._pods):
            pod.child.kill()

    def _environment(self, namespace: str, container: Json) -> dict[str, str]:
        """As the container asks, and the API server's address, which every pod gets."""
        server = self._plane.server.removeprefix("https://")
        host, _, port = server.partition(":")
        found = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        for each in container.get("env", ()):
            found[each["name"]] = self._value(namespace, each)
        return found

    def _value(self, namespace: str, entry: Json) -> str:
        if "valueFrom" not in entry:
            return str(entry.get("value", ""))
        ((kind, source),) = entry["valueFrom"].items()
        if kind == "secretKeyRef":
            return Volumes.secret(self._plane, namespace, source["name"])[source["key"]].decode()
        assert (kind, source["fieldPath"]) == ("fieldRef", "spec.nodeName"), entry
        return self._node

    def _script(self, root: Path, container: Json, mounts: Mapping[str, Path], become: Sequence[str]) -> str:
        """Makes the root and becomes the program."""
        root.mkdir()
        lines = ["set -eu", f"mount -t tmpfs -o mode=755 tmpfs {root}", *_system(root), *_etc(root, self._hosts)]
        writable = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}
        for place, folder in mounts.items():
            lines += _bound(folder, root, Path(place), read_only=place not in writable)
            if ROOT.is_relative_to(place):
                lines += _bound(ROOT, root, ROOT)  # a checkout below /tmp, say: the volume hides what is mounted there
        if container["securityContext"].get("readOnlyRootFilesystem"):
            lines.append(f"mount -o remount,ro {root}")
        program = shlex.join(["setpriv", *become, *container["command"], *container.get("args", ())])
        return "\n".join([*lines, f"exec /usr/sbin/chroot {root} {program}", ""])


def _system(root: Path) -> list[str]:
    """What an image brings: libraries, Python, our packages."""
    lines = []
    for path in (*_SYSTEM, ROOT, Path(sys.base_prefix)):
        if path.is_symlink():
            lines.append(f"ln -s {shlex.quote(str(path.readlink()))} {root}{path}")
        elif path.is_dir() and not path.is_relative_to("/usr/local"):
            lines += _bound(path, root, path)
    return [
        *lines,
        f"mkdir {root}/proc {root}/dev",
        f"mount -t proc proc {root}/proc",
        f"mount --rbind /dev {root}/dev",
    ]


def _bound(source: Path, root: Path, place: Path, *, read_only: bool = True) -> list[str]:
    target = shlex.quote(f"{root}{place}")
    lines = [f"mkdir -p {target}", f"mount --bind {shlex.quote(str(source))} {target}"]
    return [*lines, f"mount -o remount,bind,ro {target}"] if read_only else lines


def _etc(root: Path, hosts: Mapping[str, str]) -> list[str]:
    """The few files of the images' own; nothing of this machine's."""
    files = {
        "passwd": f"root:x:0:0::/root:/sbin/nologin\nperiplus:x:{_ACCOUNT}:{_ACCOUNT}::/nonexistent:/sbin/nologin\n",
        "group": f"root:x:0:\nperiplus:x:{_ACCOUNT}:\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
        "hosts": "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in hosts.items()),
    }
    written = [f"printf %s {shlex.quote(text)} > {root}/etc/{name}" for name, text in files.items()]
    return [f"mkdir {root}/etc", *written]


def _privileges(pod: Json, container: Json) -> list[str]:
    """As a container runtime would; refuses what a kubelet refuses."""
    asked = {**pod, **container}
    user, group = asked.get("runAsUser", _ACCOUNT), asked.get("runAsGroup", _ACCOUNT)
    assert user != 0 or not asked.get("runAsNonRoot"), "container has runAsNonRoot and image will run as root"
    capabilities = container["capabilities"]
    assert capabilities["drop"] == ["ALL"], capabilities
    kept = "".join(f",+{name.lower()}" for name in capabilities.get("add", ()))
    groups = ["--groups", str(pod["fsGroup"])] if "fsGroup" in pod else ["--clear-groups"]
    new = [] if container["allowPrivilegeEscalation"] else ["--no-new-privs"]
    sets = [f"--bounding-set=-all{kept}", f"--inh-caps=-all{kept}"]
    return ["--reuid", str(user), "--regid", str(group), *groups, *new, *sets, "--pdeathsig", "KILL"]
