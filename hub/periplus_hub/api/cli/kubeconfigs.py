"""Which contexts a kubeconfig offers. Credentials are never read here: that is the spoke's business."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NoReturn

import yaml

_SHOWN: Final = 20


class KubeconfigError(Exception):
    """A kubeconfig or context that cannot be used; carries the remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True)
class Chosen:
    """One context to look at: the file that has it, and what tells it apart from others of its name."""

    context: str
    path: Path
    name: str = ""
    others: tuple[Path, ...] = ()
    """Files that may hold what `path` does not."""

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or self.context

    @property
    def kubeconfig(self) -> str:
        """As KUBECONFIG would have it."""
        return os.pathsep.join(map(str, (self.path, *self.others)))


def default_paths() -> list[Path]:
    """kubectl's rule: the files of KUBECONFIG that exist, else ~/.kube/config."""
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    existing = [path for path in listed if path.exists()]
    return existing or listed or [Path.home() / ".kube" / "config"]


def contexts(path: Path) -> list[str]:
    """The context names of one file, in file order, without repeats; raises KubeconfigError for what is none."""
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
    if document is not None and not isinstance(document, dict):
        raise _without_contexts([path])
    listed = (document or {}).get("contexts")
    items = listed if isinstance(listed, list) else ()
    return list(dict.fromkeys(str(item["name"]) for item in items if isinstance(item, dict) and item.get("name")))


def _without_contexts(paths: Sequence[Path]) -> KubeconfigError:
    msg = f"the kubeconfig {', '.join(map(str, paths))} names no context"
    return KubeconfigError(msg, "Check it with 'kubectl config get-contexts'.")


def merged(wanted: Sequence[str]) -> list[Chosen]:
    """The wanted contexts, or all, of kubectl's default files; of two contexts with one name the first, as kubectl."""
    paths = default_paths()
    found: dict[str, Chosen] = {}
    for path in paths:
        # What a file does not hold itself, like a user, may stand in another one.
        others = tuple(other for other in paths if other != path)
        for name in contexts(path):
            found.setdefault(name, Chosen(name, path, others=others))
    if not found:
        raise _without_contexts(paths)
    return _wanted(list(found.values()), wanted, paths)


def named(paths: Sequence[Path], wanted: Sequence[str]) -> list[Chosen]:
    """The wanted contexts, or all, of files that were named one by one: each file stands for itself.

    Contexts of one name in several files are several clusters, as tools that write a file per cluster make them.
    """
    found = [Chosen(name, path) for path in dict.fromkeys(paths) for name in contexts(path) or _none_in(path)]
    taken = Counter(each.context for each in found)
    told_apart = [
        each if taken[each.context] == 1 else replace(each, name=f"{each.context} ({each.path})") for each in found
    ]
    return _wanted(told_apart, wanted, paths)


def _none_in(path: Path) -> NoReturn:
    raise _without_contexts([path])


def _wanted(found: list[Chosen], wanted: Sequence[str], paths: Sequence[Path]) -> list[Chosen]:
    """Raises KubeconfigError for a wanted context that no file has, naming those that exist."""
    there = dict.fromkeys(each.context for each in found)
    missing = [name for name in wanted if name not in there]
    if missing:
        msg = f"no context {', '.join(repr(name) for name in missing)} in {', '.join(str(path) for path in paths)}"
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        raise KubeconfigError(msg, f"Contexts there: {', '.join(sorted(there)[:_SHOWN])}{more}.")
    return [each for name in dict.fromkeys(wanted or there) for each in found if each.context == name]
