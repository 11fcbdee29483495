"""Lists the rows: `python -m benchmarks`."""

import ast
from pathlib import Path


def rows() -> dict[str, str]:
    """Name of each row → the first line of its docstring, read without importing it."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[path.stem] = text.partition("\n")[0]
    return found


def main() -> None:
    """Prints one line per row."""
    print("Pick a row: make bench ROW=<name>")
    for name, line in rows().items():
        print(f"  {name:<24} {line}")


if __name__ == "__main__":
    main()
