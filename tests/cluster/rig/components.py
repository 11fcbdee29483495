"""The five programs of a control plane and the flags they are started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.rig.pki import KeyPair, Pki
from tests.cluster.rig.processes import free_port
from tests.cluster.rig.spec import ClusterSpec
from tests.cluster.rig.toolchain import Tools

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """The loopback ports of one cluster."""

    etcd: int
    etcd_peer: int
    api: int
    controllers: int
    scheduler: int
    kwok: int

    @classmethod
    def choose(cls) -> Ports:
        """Six free ones."""
        return cls(*(free_port() for _ in range(6)))


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where things are in one cluster's folder, and what its programs share."""

    folder: Path
    spec: ClusterSpec
    tools: Tools
    ports: Ports
    pki: Pki
    serving: KeyPair

    @property
    def server(self) -> str:
        """The API server's address."""
        return f"https://{_LOOPBACK}:{self.ports.api}"

    @property
    def etcd_url(self) -> str:
        """Where etcd answers."""
        return f"http://{_LOOPBACK}:{self.ports.etcd}"

    @property
    def issuer(self) -> str:
        """The `iss` of ServiceAccount tokens."""
        return self.spec.issuer or self.server

    @property
    def token_file(self) -> Path:
        """Who may log in with a fixed token."""
        return self.folder / "tokens.csv"

    def kubeconfig_of(self, program: str) -> Path:
        """The kubeconfig that one of the programs uses."""
        return self.folder / f"{program}.kubeconfig"

    def commands(self) -> dict[str, list[str]]:
        """The argument vectors, in the order of starting."""
        servers = {"etcd": self._etcd(), "kube-apiserver": self._api_server()}
        if not self.spec.has_controllers:
            return servers
        return servers | {
            "kube-controller-manager": self._controller_manager(),
            "kube-scheduler": self._scheduler(),
            "kwok": self._kwok(),
        }

    def _etcd(self) -> list[str]:
        client = self.etcd_url
        peer = f"http://{_LOOPBACK}:{self.ports.etcd_peer}"
        flags = {
            "name": "rig",
            "data-dir": self.folder / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"rig={peer}",
            "log-level": "warn",
        }
        # The data is thrown away after the tests; waiting for the disk would buy nothing.
        return [self.tools["etcd"], *_flags(flags), "--unsafe-no-fsync"]

    def _api_server(self) -> list[str]:
        flags = {
            "etcd-servers": self.etcd_url,
            "bind-address": _LOOPBACK,
            "advertise-address": _LOOPBACK,
            "secure-port": self.ports.api,
            **self._serving_flags(),
            "client-ca-file": self.pki.ca.certificate,
            "token-auth-file": self.token_file,
            "service-account-key-file": self.pki.service_account_key,
            "service-account-signing-key-file": self.pki.service_account_key,
            "service-account-issuer": self.issuer,
            "service-cluster-ip-range": self.spec.service_cidr,
            "authorization-mode": "Node,RBAC",
            "allow-privileged": "true",
            # It would publish 127.0.0.1 as an endpoint, which is refused.
            "endpoint-reconciler-type": "none",
            # It would wait for what the controller manager makes.
            **({} if self.spec.has_controllers else {"disable-admission-plugins": "ServiceAccount"}),
        }
        return [self.tools["kube-apiserver"], *_flags(flags)]

    def _controller_manager(self) -> list[str]:
        flags = {
            **self._client_flags("kube-controller-manager"),
            "secure-port": self.ports.controllers,
            "allocate-node-cidrs": "true",
            "cluster-cidr": self.spec.pod_cidr,
            **self._mask_flags(),
            "service-cluster-ip-range": self.spec.service_cidr,
            "service-account-private-key-file": self.pki.service_account_key,
            "root-ca-file": self.pki.ca.certificate,
            "cluster-signing-cert-file": self.pki.ca.certificate,
            "cluster-signing-key-file": self.pki.ca.key,
            "use-service-account-credentials": "true",
            # kwok sends hardly a heartbeat, and pods once marked unready stay so: on a busy machine the shared clusters
            # grow old. No cluster of a test lives for a day.
            "node-monitor-grace-period": "24h",
        }
        return [self.tools["kube-controller-manager"], *_flags(flags)]

    def _scheduler(self) -> list[str]:
        flags = {**self._client_flags("kube-scheduler"), "secure-port": self.ports.scheduler}
        return [self.tools["kube-scheduler"], *_flags(flags)]

    def _kwok(self) -> list[str]:
        flags = {
            "kubeconfig": self.kubeconfig_of("kwok"),
            "config": self.tools.kwok_stages,
            # Only for nodes without a range of their own, of which there are none for long.
            "cidr": self.spec.pod_cidr.split(",")[0],
            "server-address": f"{_LOOPBACK}:{self.ports.kwok}",
            "manage-all-nodes": "true",
        }
        return [self.tools["kwok"], *_flags(flags)]

    def _mask_flags(self) -> dict[str, object]:
        if not self.spec.is_dual_stack:
            return {"node-cidr-mask-size": self.spec.node_cidr_mask}
        return {
            "node-cidr-mask-size-ipv4": self.spec.node_cidr_mask,
            "node-cidr-mask-size-ipv6": self.spec.node_cidr_mask_ipv6,
        }

    def _client_flags(self, program: str) -> dict[str, object]:
        return {
            "kubeconfig": self.kubeconfig_of(program),
            "bind-address": _LOOPBACK,
            **self._serving_flags(),
            # Nobody to compete with, and the lease would delay a restart.
            "leader-elect": "false",
            "kube-api-qps": self.spec.api_qps,
            "kube-api-burst": self.spec.api_qps * 2,
        }

    def _serving_flags(self) -> dict[str, object]:
        return {
            "tls-cert-file": self.serving.certificate,
            "tls-private-key-file": self.serving.key,
        }


def _flags(flags: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]
