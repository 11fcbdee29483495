"""Helm as a person would run it: the program, with folders of its own and no plugins."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path(__file__).resolve().parents[3] / "charts"
_TIMEOUT_S = 300


class HelmError(RuntimeError):
    """Helm refused; the message is what it said."""


@dataclass(frozen=True)
class Helm:
    """The program. Each call has an empty home, so that nothing of the machine's is used."""

    program: Path

    def run(self, *arguments: str, values: Mapping[str, Any] | None = None, kubeconfig: Path | None = None) -> str:
        """What one command printed. Raises HelmError."""
        with tempfile.TemporaryDirectory() as home:
            command = [str(self.program), *arguments]
            if values is not None:
                file = Path(home) / "values.yaml"
                file.write_text(yaml.safe_dump(dict(values)))
                command += ["--values", str(file)]
            if kubeconfig is not None:
                command += ["--kubeconfig", str(kubeconfig)]
            kept = {name: value for name, value in os.environ.items() if not name.startswith(("HELM", "KUBE", "XDG"))}
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, env=kept | {"HOME": home}
            )
        if done.returncode != 0:
            raise HelmError(f"{done.stdout}{done.stderr}")
        return done.stdout

    def template(
        self, chart: str, values: Mapping[str, Any], *options: str, release: str = "periplus", namespace: str = "net"
    ) -> str:
        """The manifests of one of our charts, as text."""
        return self.run("template", release, str(CHARTS / chart), "--namespace", namespace, *options, values=values)

    def objects(self, chart: str, values: Mapping[str, Any], *options: str) -> list[dict[str, Any]]:
        """The same, read."""
        return [each for each in yaml.safe_load_all(self.template(chart, values, *options)) if each]
