"""Which contexts a kubeconfig offers. Credentials are never read here: that is the spoke's business."""

import os
from collections.abc import Sequence
from pathlib import Path

import yaml


class KubeconfigError(Exception):
    """A kubeconfig or context that cannot be used; carries the remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def default_paths() -> list[Path]:
    """kubectl's rule: the files of KUBECONFIG that exist, else ~/.kube/config."""
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    existing = [path for path in listed if path.exists()]
    return existing or listed or [Path.home() / ".kube" / "config"]


def contexts(path: Path) -> list[str]:
    """The context names of one file, in file order, without repeats."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"there is no kubeconfig at {path}"
        raise KubeconfigError(msg, "Give one with --kubeconfig, or set KUBECONFIG.") from error
    except OSError as error:
        msg = f"the kubeconfig {path} cannot be read: {error.strerror}"
        remedy = "Name a file in it." if path.is_dir() else "Check its permissions."
        raise KubeconfigError(msg, remedy) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"the kubeconfig {path} is not YAML"
        raise KubeconfigError(msg, "Check it with 'kubectl config view'.") from error
    listed = document.get("contexts") if isinstance(document, dict) else None
    names = [str(item["name"]) for item in listed or () if isinstance(item, dict) and item.get("name")]
    if not names:
        msg = f"the kubeconfig {path} names no context"
        raise KubeconfigError(msg, "Check it with 'kubectl config get-contexts'.")
    return list(dict.fromkeys(names))


def chosen(paths: Sequence[Path], wanted: Sequence[str]) -> list[tuple[str, Path]]:
    """(context, file) pairs to look at: the wanted ones, or all. The first file that has a context wins.

    Raises KubeconfigError for a wanted context that no file has, naming those that exist.
    """
    found: dict[str, Path] = {}
    for path in paths:
        for name in contexts(path):
            found.setdefault(name, path)
    missing = [name for name in wanted if name not in found]
    if missing:
        msg = f"no context {', '.join(repr(name) for name in missing)} in {', '.join(str(path) for path in paths)}"
        raise KubeconfigError(msg, f"Contexts there: {', '.join(sorted(found)[:20])}.")
    names = list(dict.fromkeys(wanted)) or list(found)
    return [(name, found[name]) for name in names]
