from tests.meta.gates.sizes import MAX_FILE_LINES, MAX_FUNCTION_LINES, too_large
from tests.meta.gates.source import ALL_PYTHON, hold, parse


def test_every_file_function_and_parameter_list_is_small_enough() -> None:
    hold(too_large, *ALL_PYTHON)


def test_a_file_of_exactly_the_limit_passes_and_one_line_more_does_not() -> None:
    assert list(too_large(parse("x = 1\n" * MAX_FILE_LINES))) == []
    found = list(too_large(parse("x = 1\n" * (MAX_FILE_LINES + 1))))
    assert [violation.line for violation in found] == [1]


def test_a_function_is_measured_without_its_decorators() -> None:
    body = "    x = 1\n" * (MAX_FUNCTION_LINES - 1)
    assert list(too_large(parse(f"@a\n@b\ndef fits():\n{body}"))) == []
    [found] = too_large(parse(f"def grows():\n{body}    x = 1\n"))
    assert "grows" in found.message


def test_methods_and_nested_async_functions_are_measured_too() -> None:
    body = "            x = 1\n" * MAX_FUNCTION_LINES
    [found] = too_large(parse(f"class A:\n    def m(self): ...\n    if 1:\n        async def deep():\n{body}"))
    assert "deep" in found.message


def test_self_and_keyword_only_parameters_do_not_count_as_positional() -> None:
    assert list(too_large(parse("class A:\n    def m(self, a, b, c, d, e, *, f, g): ...\n"))) == []
    [found] = too_large(parse("def wide(a, b, /, c, d, e, f): ...\n"))
    assert "wide takes 6" in found.message


def test_an_overridden_library_method_may_be_wide_where_ruff_was_told_so() -> None:
    silencer = "# no" + "qa: PLR0917 - the signature is the library's"
    assert list(too_large(parse(f"def wide(  {silencer}\n    a, b, c, d, e, f): ...\n"))) == []
