"""docs/reference/problems.md: the registry of problem types and what a spoke does about each."""

from docs.build.markdown import code, page, prose, section, summary, table
from docs.build.source import attribute_docs
from periplus_contract import problems


def render() -> str:
    """The page."""
    return page(
        "Problems",
        prose(problems.__doc__),
        f"The body is `{problems.CONTENT_TYPE}` (RFC 9457) with `type`, `title`, `status`, and, where they help, "
        f"`detail` and `remedy`. `type` is `{problems.PREFIX}` followed by the name below.",
        _types(),
        section("Verdicts", "What a spoke does next.", _verdicts()),
    )


def _types() -> str:
    rows = [
        (code(found.slug), str(found.status), code(found.verdict), f"{found.title}.", found.remedy)
        for found in problems.ALL
    ]
    return table(("problem", "status", "verdict", "meaning", "remedy"), rows)


def _verdicts() -> str:
    docs = attribute_docs(problems)
    rows = [(code(verdict), summary(docs[f"Verdict.{verdict.name}"])) for verdict in problems.Verdict]
    return table(("verdict", "the spoke"), rows)
