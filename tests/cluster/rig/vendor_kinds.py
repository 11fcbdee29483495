"""The kinds of network plugins as their vendors define them: an API server refuses an object that does not fit."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.rig.golang import find_go
from tests.cluster.rig.toolchain import cache_root


class _Loader(yaml.SafeLoader):
    """In which `=` is a text, as everywhere but in PyYAML."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: str(node.value))


@dataclass(frozen=True)
class Vendor:
    """A Go module that has the definitions of its kinds as YAML, below a folder."""

    module: str
    folder: str

    def definitions(self, report: Callable[[str], None]) -> Iterator[dict[str, Any]]:
        """Every CustomResourceDefinition. The module is fetched first, 300 MB, if Go's cache has it not."""
        go = find_go(cache_root(), report)
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "go.mod").write_text("module kinds\n")
            found = json.loads(go.output("mod", "download", "-json", self.module, cwd=Path(name)))
        for path in sorted((Path(found["Dir"]) / self.folder).rglob("*.yaml")):
            yield from (each for each in yaml.load_all(path.read_text(), _Loader) if each)


CALICO: Final = Vendor(
    "github.com/projectcalico/calico@v1.11.0-cni-plugin.0.20250813170300-a0db560f0520", "libcalico-go/config/crd"
)
CILIUM: Final = Vendor("github.com/cilium/cilium@v1.20.2", "pkg/k8s/apis/cilium.io/client/crds")
PROMETHEUS: Final = Vendor(
    "github.com/prometheus-operator/prometheus-operator@v0.85.0", "example/prometheus-operator-crd"
)
CERT_MANAGER: Final = Vendor("github.com/cert-manager/cert-manager@v1.21.2", "deploy/crds")
GATEWAY_API: Final = Vendor("sigs.k8s.io/gateway-api@v1.6.1", "config/crd/standard")
