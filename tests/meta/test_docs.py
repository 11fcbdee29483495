"""The generated pages say what the code says, and every page leads where it says."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docs.build import pages, promises, try_report
from docs.build.source import attribute_docs
from periplus_hub.api.cli import exit_codes, report
from periplus_spoke.kit.errors import Exit as SpokeExit

from tests.meta.gates.sizes import too_large
from tests.meta.gates.source import ROOT, repository_files, violations
from tests.meta.gates.suppressions import unexplained_suppressions
from tests.support.markdown_links import absent_names, anchors, broken_links


def build(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "docs.build", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_generated_pages_are_what_the_code_says() -> None:
    checked = build("--check")
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stdout + checked.stderr


def test_a_page_that_is_missing_or_edited_is_named_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [pages.Page(f"docs/{name}.md", name, lambda name=name: f"# {name}\n") for name in ("one", "two")]
    monkeypatch.setattr(pages, "PAGES", made)
    assert pages.stale(tmp_path) == ["docs/one.md", "docs/two.md"]
    assert pages.write(tmp_path) == ["docs/one.md", "docs/two.md"]
    assert pages.stale(tmp_path) == []
    (tmp_path / "docs/two.md").write_text("# edited\n")
    assert pages.stale(tmp_path) == ["docs/two.md"]


def test_every_generated_page_says_so_in_its_first_line() -> None:
    first = {found.path: (ROOT / found.path).read_text().splitlines()[0] for found in pages.PAGES}
    assert [path for path, line in first.items() if "make docs" not in line] == []


def test_the_generator_keeps_the_house_rules() -> None:
    assert violations(too_large, "docs/build") == []
    assert violations(unexplained_suppressions, "docs/build") == []


# ---------------------------------------------------------------------------------------------------------- links


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    found = [path for path in repository_files() if path.suffix == ".md"]
    broken = [f"{path.relative_to(ROOT)}: {target}" for path in found for target in broken_links(path)]
    assert broken == []


def test_a_broken_link_is_found_and_code_is_not_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading, `coded`!\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#a-heading-coded) [c](gone.md) [d](there.md#gone) [e](https://example.org/x)\n"
        "`[f](gone.md)`\n\n```\n[g](gone.md)\n# not-a-heading\n```\n[h](#not-a-heading)\n"
    )
    assert list(broken_links(page)) == ["gone.md", "there.md#gone", "#not-a-heading"]
    assert anchors("# One\n\n## Two words\n") == {"one", "two-words"}


def test_every_module_and_file_that_a_page_names_is_there() -> None:
    found = [path for path in repository_files() if path.suffix == ".md"]
    missing = [f"{path.relative_to(ROOT)}: {name}" for path in found for name in absent_names(path, ROOT)]
    assert missing == []


def test_a_name_of_nothing_is_found_and_placeholders_are_not(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`hub/periplus_hub/kit/db.py` `periplus_hub.kit.db` `periplus_hub.kit.db.Database` `tests/meta/` `make check`\n"
        "`hub/periplus_hub/gone.py` `periplus_hub.gone.db` `periplus_spoke.conversion.gone`\n"
        "`hub/periplus_hub/<slice>/x.py`\n"
    )
    assert list(absent_names(page, ROOT)) == [
        "hub/periplus_hub/gone.py", "periplus_hub.gone.db", "periplus_spoke.conversion.gone",
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------------- promises


def test_every_promise_is_proven_and_every_marker_names_a_promise() -> None:
    named = {name for name, _ in promises.marked(ROOT / "tests")}
    assert named == {promise.id for promise in promises.catalogue()}


def test_markers_are_found_on_functions_classes_and_methods(tmp_path: Path) -> None:
    folder = tmp_path / "tests/unit"
    folder.mkdir(parents=True)
    (folder / "test_x.py").write_text(
        "import pytest\n\n"
        "@pytest.mark.promise('a')\nasync def test_f(): ...\n\n"
        "@pytest.mark.promise('b', 'c')\nclass TestC:\n"
        "    @pytest.mark.promise('d')\n    def test_m(self): ...\n\n"
        "def test_none(): ...\n\n"
        "TestM = pytest.mark.promise('e')(Machine.TestCase)\n"
    )
    file = "tests/unit/test_x.py"
    found = [
        ("a", f"{file}::test_f"),
        ("b", f"{file}::TestC"),
        ("c", f"{file}::TestC"),
        ("d", f"{file}::TestC::test_m"),
        ("e", f"{file}::TestM"),
    ]
    assert list(promises.marked(tmp_path / "tests")) == found


# --------------------------------------------------------------------------------------------------- report schema


def faults(value: object, schema: dict[str, Any], path: str = "$") -> list[str]:
    """Where `value` breaks `schema`: the words our schemas use, and no member that they do not describe."""
    if "const" in schema or "enum" in schema:
        return [] if value in schema.get("enum", [schema.get("const")]) else [f"{path} is {value!r}"]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    allowed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if type(value) not in {kinds[name] for name in allowed}:
        return [f"{path} is a {type(value).__name__}"]
    if isinstance(value, list):
        return [
            fault for place, item in enumerate(value) for fault in faults(item, schema["items"], f"{path}[{place}]")
        ]
    if not isinstance(value, dict):
        return []
    described = schema["properties"]
    unknown = [f"{path}.{name} is not described" for name in value.keys() - described.keys()]
    missing = [f"{path}.{name} is missing" for name in set(schema["required"]) - value.keys()]
    inner = [
        fault
        for name in value.keys() & described.keys()
        for fault in faults(value[name], described[name], f"{path}.{name}")
    ]
    return unknown + missing + inner


@pytest.mark.parametrize("made", [report.Report(clusters=(), groups=()), try_report.EXAMPLE], ids=["empty", "example"])
def test_a_report_is_as_its_schema_says(made: report.Report) -> None:
    assert faults(made.document(), try_report.schema()) == []


def test_the_schema_refuses_what_is_not_a_report() -> None:
    document = try_report.EXAMPLE.document()
    document["clusters"][0]["nodes"] = "12"
    document["clusters"][1]["state"] = "well"
    document["surprise"] = 1
    del document["asOf"]
    assert sorted(faults(document, try_report.schema())) == [
        "$.asOf is missing",
        "$.clusters[0].nodes is a str",
        "$.clusters[1].state is 'well'",
        "$.surprise is not described",
    ]


# ----------------------------------------------------------------------------------------------------- exit codes


def test_the_operators_table_of_exit_codes_is_that_of_both_programs() -> None:
    rows = re.findall(
        r"^\| (\d+) \| (yes|no) \| (yes|no) \|", (ROOT / "docs/operate/daily.md").read_text(), re.MULTILINE
    )
    docs = attribute_docs(exit_codes)
    spokes_only = {each for each in exit_codes.Exit if docs[f"Exit.{each.name}"].startswith("`periplus-spoke`")}
    assert [int(code) for code, _hub, _spoke in rows] == list(exit_codes.Exit)
    assert {int(code) for code, is_hubs, _spoke in rows if is_hubs == "no"} == spokes_only
    assert {int(code) for code, _hub, is_spokes in rows if is_spokes == "yes"} == set(SpokeExit)
