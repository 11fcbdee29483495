"""What holds for the files as such, whatever they contain."""

from collections import Counter

import pytest

from tests.meta.gates.hosts import REGISTRIES, registry_hosts
from tests.meta.gates.source import ROOT, repository_files


def test_no_file_names_a_package_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {host}" for path in repository_files() for host in registry_hosts(path.read_bytes())
    ]
    assert found == []


@pytest.mark.parametrize("host", REGISTRIES)
def test_a_registry_is_found_wherever_it_stands(host: str) -> None:
    assert registry_hosts(f"see https://{host.upper()}/simple".encode()) == [host]


def test_other_hosts_and_binary_files_are_fine() -> None:
    assert registry_hosts(b"https://kubernetes.io \xff\x00 py.pi.org") == []


def test_test_files_have_unique_names() -> None:
    names = Counter(path.name for path in repository_files() if path.match("tests/**/test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/adr").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
