import ast
from pathlib import Path

import periplus_spoke.kit.crashpoint
from periplus_spoke.kit.crashpoint import NAMES

PACKAGE = Path(periplus_spoke.kit.crashpoint.__file__).parents[1]


def test_every_named_point_is_somewhere_and_every_point_has_a_name() -> None:
    used = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "crashpoint":
                assert isinstance(node.args[0], ast.Constant), f"{path}: a crash point's name must be written out"
                used.append(node.args[0].value)
    assert sorted(used) == sorted(NAMES)
