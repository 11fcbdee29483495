"""Which programs the rig needs, out of which pinned Go modules, and where their builds are kept."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.cluster.rig.golang import Go, ToolchainError

MODULES_FOLDER = Path(__file__).resolve().parent.parent / "tools"
ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
STAGES_FILE = "kwok-stages.yaml"

# Raise it when a build flag changes: the flags are part of what a cached binary is.
_RECIPE = "1"


@dataclass(frozen=True, eq=False)
class Module:
    """One Go module of ours that pins programs which can be built together, and may have some of our own."""

    name: str
    pinned: str
    packages: Mapping[str, str]
    tags: str = ""
    """Build tags."""

    @property
    def folder(self) -> Path:
        """Where our `go.mod` and `go.sum` are."""
        return MODULES_FOLDER / self.name

    @cached_property
    def version(self) -> str:
        """The pinned version, read from go.mod so that it is written down once."""
        text = (self.folder / "go.mod").read_text()
        found = re.search(rf"^(?:require|\t)\s*{re.escape(self.pinned)} (v\S+)", text, re.MULTILINE)
        if found is None:
            message = f"{self.folder}/go.mod does not require {self.pinned}"
            raise ToolchainError(message)
        return found[1]

    def cache_folder(self, cache: Path, go: Go) -> Path:
        """Where the binaries belong: another pin, another Go or another source of ours is another folder."""
        digest = hashlib.sha256(f"{_RECIPE} {go.version}{self.tags and f' {self.tags}'}".encode())
        for path in (self.folder / "go.mod", self.folder / "go.sum", *sorted(self.folder.rglob("*.go"))):
            digest.update(path.read_bytes())
        return cache / f"{self.name}-{digest.hexdigest()[:16]}"

    def linker_flags(self) -> str:
        """Stripped; and for Kubernetes the version, or `/version` says v0.0.0."""
        flags = ["-s", "-w"]
        if self.pinned == "k8s.io/kubernetes":
            major, minor, _ = self.version.removeprefix("v").split(".", 2)
            stamped = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor}
            flags += [f"-X k8s.io/component-base/version.{k}={v}" for k, v in stamped.items()]
        return " ".join(flags)


ETCD = Module("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"})
KWOK = Module("kwok", "sigs.k8s.io/kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"})
KUBERNETES = Module(
    "kubernetes",
    "k8s.io/kubernetes",
    {name: f"k8s.io/kubernetes/cmd/{name}" for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")},
)

# Without service discovery, whose clients of every cloud are a third of what it is made of: tests name their targets.
PROMETHEUS = Module(
    "prometheus",
    "github.com/prometheus/prometheus",
    {name: f"github.com/prometheus/prometheus/cmd/{name}" for name in ("prometheus", "promtool")},
    tags="remove_all_sd",
)

# In the order they are built: the quick ones first, so that a broken setup shows early.
CONTROL_PLANE = (ETCD, KWOK, KUBERNETES)

# Only who reads Hubble needs it. One module, as nearly all that its two programs are made of is the same.
HUBBLE = Module(
    "hubble",
    "github.com/cilium/cilium",
    {"hubble-relay": "github.com/cilium/cilium/hubble-relay", "observer": "./observer"},
)

# Only who installs a chart needs it.
HELM = Module("helm", "helm.sh/helm/v4", {"helm": "helm.sh/helm/v4/cmd/helm"})

# Only who takes images to a registry needs it: it pushes and pulls, and is a registry itself.
CRANE = Module(
    "registry", "github.com/google/go-containerregistry", {"crane": "github.com/google/go-containerregistry/cmd/crane"}
)


@dataclass(frozen=True)
class Tools:
    """Built programs by name, and the stages without which kwok refuses to run."""

    binaries: Mapping[str, Path]
    kwok_stages: Path

    def __getitem__(self, name: str) -> str:
        """The path of a program, as an argument vector wants it."""
        return str(self.binaries[name])


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/periplus/tools`, created when missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(base) / "periplus" / "tools"
    root.mkdir(parents=True, exist_ok=True)
    return root


def assets_folder() -> tuple[Path | None, list[str]]:
    """The folder `KUBEBUILDER_ASSETS` names, and which programs it lacks."""
    named = os.environ.get(ASSETS_VARIABLE)
    if not named:
        return None, []
    folder = Path(named)
    wanted = (name for module in CONTROL_PLANE for name in module.packages)
    return folder, [name for name in wanted if not os.access(folder / name, os.X_OK)]


def read_stages(go: Go) -> str:
    """The stages that kwok ships, joined: read from its module, so they fit the pinned version."""
    root = Path(go.output("list", "-m", "-f", "{{.Dir}}", KWOK.pinned, cwd=KWOK.folder))
    kinds = ("pod/fast", "node/fast", "node/heartbeat-with-lease")
    stages = [
        path.read_text()
        for kind in kinds
        for path in sorted((root / "kustomize/stage" / kind).glob("*.yaml"))
        if path.name != "kustomization.yaml"
    ]
    return "\n---\n".join(stages)
