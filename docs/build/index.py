"""docs/reference/index.md: what stands where."""

from collections.abc import Mapping

from docs.build.markdown import page, table


def render(pages: Mapping[str, str]) -> str:
    """The page; `pages` maps the path of each page of the reference to what it is about."""
    folder = "docs/reference/"
    rows = [(f"[{path.removeprefix(folder)}]({path.removeprefix(folder)})", about) for path, about in pages.items()]
    return page(
        "Reference",
        "Everything here is generated and compared with the code by `make check`.",
        table(("page", "about"), rows),
    )
