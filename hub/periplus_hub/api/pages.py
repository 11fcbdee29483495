"""The few pages that the hub itself shows to a browser. They load nothing and run nothing."""

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_STYLE: Final = """
:root { color-scheme: light dark; --text: #1b2129; --ground: #ffffff; --link: #1f5fbf; --raised: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6eaf0; --ground: #0f1319; --link: #7db0ff; --raised: #161b22; }
}
body { color: var(--text); background: var(--ground); font: 16px/1.5 sans-serif; max-width: 44em; margin: 3em auto;
  padding: 0 1em; }
a { color: var(--link); }
pre { background: var(--raised); padding: 0.8em; overflow-x: auto; }
button { font: inherit; }
"""
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


_WITH_FORM: Final = {"Referrer-Policy": "same-origin"}
"""Without it browsers send of a form that its page is nobody's (`Origin: null`)."""


def page(title: str, body: str, status: HTTPStatus = HTTPStatus.OK, *, has_form: bool = False) -> Response:
    """`body` is HTML whose texts are escaped already; `title` is text."""
    whole = _PAGE.format(title=escape(title), style=_STYLE, body=body)
    return HTMLResponse(whole, status, {**_HEADERS, **(_WITH_FORM if has_form else {})})


def wants_page(request: Request) -> bool:
    """Whether it is a browser that shows what it gets."""
    return "text/html" in request.headers.get("accept", "")


@dataclass(frozen=True, slots=True)
class Link:
    """Where to go on."""

    place: str
    words: str

    @property
    def html(self) -> str:
        """As it stands in a page."""
        return f'<p><a href="{escape(self.place)}">{escape(self.words)}</a></p>'


def told(title: str, *sentences: str, links: tuple[Link, ...] = (), status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A page that says what happened and where to go on."""
    lines = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(each)}</p>" for each in sentences if each)]
    return page(f"{title} – Periplus", "\n".join([*lines, *(each.html for each in links)]), status)
