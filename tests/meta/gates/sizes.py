"""A file, a function and a parameter list that a person can hold in mind."""

from collections.abc import Iterator

from tests.meta.gates.source import FunctionNode, Module, Violation, functions, positional

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_POSITIONAL = 5


def too_large(module: Module) -> Iterator[Violation]:
    """Files, functions and parameter lists above their ceilings. Decorators do not count, docstrings do."""
    lines = module.text.count("\n")
    if lines > MAX_FILE_LINES:
        yield Violation(module.path, 1, f"{lines} lines; split it by verb or noun (at most {MAX_FILE_LINES})")
    for node in functions(module.tree):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > MAX_FUNCTION_LINES:
            yield Violation(module.path, node.lineno, f"{node.name} has {length} lines (at most {MAX_FUNCTION_LINES})")
        count = len(positional(node))
        if count > MAX_POSITIONAL and not _is_a_library_signature(module, node):
            message = (
                f"{node.name} takes {count} positional parameters (at most {MAX_POSITIONAL}); make some keyword-only"
            )
            yield Violation(module.path, node.lineno, message)


def _is_a_library_signature(module: Module, node: FunctionNode) -> bool:
    # ruff counts the same parameters; where a library's method is overridden, silencing it there is the one place.
    return "PLR0917" in module.text.splitlines()[node.lineno - 1]
