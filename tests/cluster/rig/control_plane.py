"""One real Kubernetes control plane on loopback, in a folder of its own."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Sequence
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cluster.rig.admin import ApiClient
from tests.cluster.rig.components import Layout, Ports
from tests.cluster.rig.etcd import EtcdClient, KeyValue
from tests.cluster.rig.kubeconfig import Context, write_kubeconfig
from tests.cluster.rig.pki import KeyPair, Pki
from tests.cluster.rig.polling import WaitedTooLongError, answers_ok, wait_for
from tests.cluster.rig.processes import Child
from tests.cluster.rig.spec import ClusterSpec, TokenUser
from tests.cluster.rig.toolchain import Tools

_START_TIMEOUT_S = 90.0
_API_SERVER = "kube-apiserver"
# The users that the API server's own bootstrap roles are bound to.
_USERS = {
    "admin": ("admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kwok": ("kwok", "system:masters"),
}


class ControlPlane:
    """etcd, API server, controller manager, scheduler and kwok (or the first two): children of this process.

    Inert until `start()`. Its programs die with this process, even when that is killed. `folder`
    must not exist yet; it keeps a log per program after `stop()`.
    """

    def __init__(self, tools: Tools, folder: Path, spec: ClusterSpec) -> None:
        self.spec = spec
        self.folder = folder
        self._tokens = {name: secrets.token_urlsafe(32) for name in _USERS}
        serving = KeyPair(folder / "pki" / "serving.crt", folder / "pki" / "serving.key")
        self._layout = Layout(
            folder=folder,
            spec=spec,
            tools=tools,
            ports=Ports.choose(),
            pki=Pki(folder / "pki", f"{spec.name} test CA"),
            serving=serving,
        )
        self._children = {
            name: Child(name, command, folder / f"{name}.log") for name, command in self._layout.commands().items()
        }

    @property
    def server(self) -> str:
        """The API server's address, `https://127.0.0.1:PORT`."""
        return self._layout.server

    @property
    def issuer(self) -> str:
        """The `iss` of its ServiceAccount tokens."""
        return self._layout.issuer

    @property
    def ca_file(self) -> Path:
        """The CA that vouches for the API server."""
        return self._layout.pki.ca.certificate

    @property
    def pids(self) -> dict[str, int]:
        """The programs that run now."""
        return {name: child.pid for name, child in self._children.items() if child.pid is not None}

    @cached_property
    def etcd(self) -> EtcdClient:
        """What the API server keeps, as bytes: to be backed up and restored."""
        return EtcdClient(self._layout.etcd_url)

    @cached_property
    def admin(self) -> ApiClient:
        """A client that may do everything."""
        return self.client(self._tokens["admin"])

    def client(self, token: str | None) -> ApiClient:
        """A client with somebody's token, or anonymous."""
        return ApiClient(self.server, self.ca_file, token)

    def context(
        self, token: str | None = None, *, client: KeyPair | None = None, namespace: str = "default"
    ) -> Context:
        """A kubeconfig context named after the cluster; without credentials it is the admin's."""
        if token is None and client is None:
            token = self._tokens["admin"]
        return Context(
            name=self.spec.name,
            server=self.server,
            ca_data=self.ca_file.read_bytes(),
            token=token,
            client=client,
            namespace=namespace,
        )

    @property
    def serving(self) -> KeyPair:
        """What the API server shows to its clients."""
        return self._layout.serving

    def client_certificate(self, user: str, groups: Sequence[str] = ()) -> KeyPair:
        """A certificate that the API server takes as this user's."""
        return self._layout.pki.issue(user.replace(":", "-"), user=user, groups=groups)

    def start(self, *, backup: Sequence[KeyValue] = ()) -> Self:
        """Returns when every program is ready, in some four seconds.

        When one is not, all are stopped and the error holds the end of its log. With a `backup` of another cluster's
        etcd the API server finds that cluster's objects there.
        """
        self._prepare()
        try:
            if backup:
                self._children["etcd"].start()
                self._wait_until_ready(["etcd"])
                self.etcd.restore(backup)
            # The API server waits for etcd by itself; the others give up early when it is missing.
            first = [name for name in ("etcd", _API_SERVER) if name not in self.pids]
            for name in first:
                self._children[name].start()
            self._wait_until_ready(first)
            rest = [name for name in self._children if name not in self.pids]
            for name in rest:
                self._children[name].start()
            self._wait_until_ready(rest)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Kills and reaps what runs; may be called again, and after a failed start."""
        for child in reversed(self._children.values()):
            child.kill()

    def kill(self, program: str) -> None:
        """Takes one program away, as a crash would."""
        self._children[program].kill()

    def restart(self, program: str) -> None:
        """Starts a killed program again, on its old port and data, and waits until it is ready."""
        self._children[program].kill()
        self._children[program].start()
        self._wait_until_ready([program])

    def freeze(self, program: str) -> None:
        """Makes one program hang: connections stay open and nothing answers."""
        self._children[program].signal(signal.SIGSTOP)

    def thaw(self, program: str) -> None:
        """Lets a frozen program go on."""
        self._children[program].signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True)
        pki = self._layout.pki
        pki.create()
        kubernetes_service = ip_network(self.spec.service_cidr.split(",")[0])[1]
        names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
        # Of all that is 127.*, the API server listens on the first only: the second is where a proxy has to be asked.
        hosts = ["IP:127.0.0.1", "IP:127.0.0.2", f"IP:{kubernetes_service}", *(f"DNS:{name}" for name in names)]
        pki.issue("serving", user="kube-apiserver", hosts=hosts)
        self._layout.token_file.touch(mode=0o600)
        users = [
            TokenUser(token=self._tokens[name], user=user, groups=(group,)) for name, (user, group) in _USERS.items()
        ]
        self._layout.token_file.write_text(
            "".join(
                f'{each.token},{each.user},{each.user},"{",".join(each.groups)}"\n'
                for each in (*users, *self.spec.users)
            )
        )
        for name in _USERS:
            path = self._layout.kubeconfig_of(name)
            write_kubeconfig(path, [self.context(self._tokens[name])])

    def _wait_until_ready(self, programs: Sequence[str]) -> None:
        for name in programs:
            self._wait_for_child(self._children[name])

    def _wait_for_child(self, child: Child) -> None:
        try:
            wait_for(child.name, lambda: self._is_ready(child), timeout_s=_START_TIMEOUT_S)
        except WaitedTooLongError as error:
            message = f"{error}; {child.log} ends with:\n{child.tail()}"
            raise WaitedTooLongError(message) from None

    def _is_ready(self, child: Child) -> bool:
        for each in self._children.values():
            each.check()
        token = self._tokens["admin"] if child.name == _API_SERVER else None
        return answers_ok(self._health_url(child.name), self.ca_file, token)

    def _health_url(self, program: str) -> str:
        ports = self._layout.ports
        return {
            "etcd": f"http://127.0.0.1:{ports.etcd}/health",
            _API_SERVER: f"{self.server}/readyz",
            "kube-controller-manager": f"https://127.0.0.1:{ports.controllers}/healthz",
            "kube-scheduler": f"https://127.0.0.1:{ports.scheduler}/readyz",
            "kwok": f"http://127.0.0.1:{ports.kwok}/healthz",
        }[program]
