"""Which contexts kubeconfigs offer. Credentials are never read here: that is the spoke's business."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from periplus_hub.kit.some_names import some

_SHOWN: Final = 20
_KINDS: Final = ("contexts", "clusters", "users")


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
    """Files that hold the cluster or user that `path` does not."""

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or self.context

    @property
    def kubeconfig(self) -> str:
        """As KUBECONFIG would have it."""
        return os.pathsep.join(map(str, (self.path, *self.others)))


@dataclass(frozen=True)
class Unread:
    """A file, or a context in one, of which nothing can be known."""

    name: str
    message: str
    remedy: str
    context: str = ""


@dataclass(frozen=True)
class Offer:
    """What kubeconfigs offer, and what about them a person should know."""

    chosen: tuple[Chosen, ...]
    unread: tuple[Unread, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _File:
    """The names in a kubeconfig, in its order; of contexts, also those of their cluster and user."""

    path: Path
    contexts: dict[str, tuple[str, str]]
    clusters: frozenset[str]
    users: frozenset[str]
    twice: tuple[str, ...]

    def lacks(self, context: str) -> tuple[str, str]:
        """The cluster and user of a context that are not in this file; empty: they are, or it names none."""
        cluster, user = self.contexts[context]
        return "" if cluster in self.clusters else cluster, "" if user in self.users else user


def default_paths() -> list[Path]:
    """kubectl's rule: the files of KUBECONFIG, else ~/.kube/config."""
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return list(dict.fromkeys(listed)) or [Path.home() / ".kube" / "config"]


def contexts(path: Path) -> list[str]:
    """The context names of one file, in file order, without repeats; raises KubeconfigError for what is none."""
    return list(_read(path).contexts)


def merged(wanted: Sequence[str]) -> Offer:
    """The wanted contexts, or all, of kubectl's default files.

    kubectl shows of several contexts with one name the first file's. Each is a cluster of its own here, under a name
    that tells it apart; what its own file does not hold, like a user, may stand in another one.
    """
    paths = default_paths()
    there = [path for path in paths if path.exists()]
    # Whoever names files that are absent may do so on purpose, as kubectl allows it; it is said all the same.
    notes = [
        f"KUBECONFIG names {path}, and there is no such file: create it, or take it out of KUBECONFIG."
        for path in paths
        if there and path not in there
    ]
    files, unread = _readable(there or paths)
    found = [
        Chosen(context, file.path, others=_others(file, context, files)) for file in files for context in file.contexts
    ]
    if not found:
        raise _without_contexts(paths)
    told_apart = _told_apart(found)
    notes += _hidden(told_apart)
    return _offer(_wanted(told_apart, wanted, paths), unread, notes, wanted)


def named(paths: Sequence[Path], wanted: Sequence[str]) -> Offer:
    """The wanted contexts, or all, of files that were named one by one: each file stands for itself.

    Contexts of one name in several files are several clusters, as tools that write a file per cluster make them.
    """
    files, unread = _readable(dict.fromkeys(paths))
    empty = [_without_contexts([file.path]) for file in files if not file.contexts]
    found = [Chosen(context, file.path) for file in files for context in file.contexts]
    if not found:
        raise empty[0]
    unread += [Unread(str(file.path), error.message, error.remedy) for file, error in _paired(files, empty)]
    return _offer(_wanted(_told_apart(found), wanted, paths), unread, [], wanted)


def _offer(chosen: Iterable[Chosen], unread: Iterable[Unread], notes: Sequence[str], wanted: Sequence[str]) -> Offer:
    """To who asked for contexts by name, and got them, the rest of what is wrong is worth a note."""
    concerning = [each for each in unread if not wanted or each.context in wanted]
    beside = [f"{each.message}. {each.remedy}" for each in unread if each not in concerning]
    return Offer(tuple(chosen), tuple(concerning), (*notes, *beside))


def _paired(files: Sequence[_File], errors: Sequence[KubeconfigError]) -> Iterable[tuple[_File, KubeconfigError]]:
    return zip((file for file in files if not file.contexts), errors, strict=True)


def _readable(paths: Iterable[Path]) -> tuple[list[_File], list[Unread]]:
    """Those that are kubeconfigs, and what is wrong with the others; raises KubeconfigError when none is one."""
    files: list[_File] = []
    unread: list[Unread] = []
    failures: list[KubeconfigError] = []
    for path in paths:
        try:
            file = _read(path)
        except KubeconfigError as error:
            failures.append(error)
            unread.append(Unread(str(path), error.message, error.remedy))
            continue
        files.append(file)
        unread += _repeated(file)
    if not files:
        raise failures[0]
    return files, unread


def _repeated(file: _File) -> Iterator[Unread]:
    for name in file.twice:
        message = f"the kubeconfig {file.path} has several contexts {name!r}, and only the first is read"
        remedy = "Give each a name of its own: kubectl takes none of them."
        yield Unread(f"{name} (again in {file.path})", message, remedy, name)


def _read(path: Path) -> _File:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"there is no kubeconfig at {path}"
        remedy = "Give one with --kubeconfig, or set KUBECONFIG. 'periplus demo' needs none."
        raise KubeconfigError(msg, remedy) from error
    except OSError as error:
        msg = f"the kubeconfig {path} cannot be read: {error.strerror}"
        remedy = "Name a file in it." if path.is_dir() else "Check its permissions."
        raise KubeconfigError(msg, remedy) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        msg = f"the kubeconfig {path} is not YAML"
        raise KubeconfigError(msg, "Check it with 'kubectl config view'.") from error
    if document is not None and not isinstance(document, dict):
        raise _without_contexts([path])
    entries = {kind: list(_entries(document, kind)) for kind in _KINDS}
    count = Counter(name for name, _ in entries["contexts"])
    first: dict[str, tuple[str, str]] = {}
    for name, entry in entries["contexts"]:
        inner = entry.get("context")
        chosen = inner if isinstance(inner, dict) else {}
        first.setdefault(name, (_text(chosen.get("cluster")), _text(chosen.get("user"))))
    return _File(
        path=path,
        contexts=first,
        clusters=frozenset(name for name, _ in entries["clusters"]),
        users=frozenset(name for name, _ in entries["users"]),
        twice=tuple(name for name in first if count[name] > 1),
    )


def _entries(document: dict[str, Any] | None, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    listed = (document or {}).get(kind)
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and entry.get("name"):
            yield str(entry["name"]), entry


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _others(file: _File, context: str, files: Sequence[_File]) -> tuple[Path, ...]:
    cluster, user = file.lacks(context)
    holders = [
        next((each.path for each in files if cluster and cluster in each.clusters), None),
        next((each.path for each in files if user and user in each.users), None),
    ]
    return tuple(dict.fromkeys(path for path in holders if path is not None))


def _told_apart(found: Sequence[Chosen]) -> list[Chosen]:
    taken = Counter(each.context for each in found)
    return [
        each
        if taken[each.context] == 1
        else replace(each, name=f"{each.context} ({_place(each, [other for other in found if other != each])})")
        for each in found
    ]


def _place(one: Chosen, others: Sequence[Chosen]) -> str:
    """As much of the end of its file's path as none of the others of its name has."""
    rivals = [other.path.absolute().parts for other in others if other.context == one.context]
    parts = one.path.absolute().parts
    lengths = range(1, len(parts) + 1)
    enough = next((n for n in lengths if not any(parts[-n:] == rival[-n:] for rival in rivals)), len(parts))
    return str(Path(*parts[-enough:]))


def _hidden(found: Sequence[Chosen]) -> Iterator[str]:
    """What kubectl would not show."""
    by_context: dict[str, list[Chosen]] = {}
    for each in found:
        by_context.setdefault(each.context, []).append(each)
    for context, several in by_context.items():
        if len(several) > 1:
            places = ", ".join(str(each.path) for each in several)
            yield (
                f"{len(several)} files of KUBECONFIG have a context {context!r}: {places}. "
                "kubectl shows the first alone; here each is read, under a name with its file."
            )


def _without_contexts(paths: Sequence[Path]) -> KubeconfigError:
    msg = f"the kubeconfig {', '.join(map(str, paths))} names no context"
    return KubeconfigError(msg, "Check it with 'kubectl config get-contexts'.")


def _wanted(found: Sequence[Chosen], wanted: Sequence[str], paths: Sequence[Path]) -> list[Chosen]:
    """By context, which may be several, or by the name that tells one apart.

    Raises KubeconfigError for a wanted context that no file has, naming those that exist.
    """
    there = dict.fromkeys(each.context for each in found)
    missing = [name for name in wanted if not any(name in {each.context, each.label} for each in found)]
    if missing:
        msg = f"no context {', '.join(repr(name) for name in missing)} in {', '.join(str(path) for path in paths)}"
        raise KubeconfigError(msg, f"Contexts there: {some(sorted(there), _SHOWN)}.")
    if not wanted:
        return list(found)
    return list(dict.fromkeys(each for name in wanted for each in found if name in {each.context, each.label}))
