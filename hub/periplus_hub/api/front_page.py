"""What a browser gets at the API listener's address while there is no page to use: where to go from here.

Nothing of the fleet is on it, so it asks for no token; it loads nothing, so that it needs no more than the policy every
answer has.
"""

from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Periplus</title>
</head>
<body>
<h1>Periplus</h1>
<p>This is the hub's API, for people and programs. It answers GraphQL; there is no page to click through yet.</p>
<h2>From a shell</h2>
<p>On the hub's machine, with <code>PERIPLUS_DATA_DIR</code> set to its data folder; elsewhere with
<code>PERIPLUS_URL={url}</code> and <code>PERIPLUS_TOKEN</code>:</p>
<pre>periplus clusters list
periplus overlaps
periplus --help</pre>
<h2>From a program</h2>
<pre>curl {url}/graphql \\
  -H "Authorization: Bearer $PERIPLUS_TOKEN" -H "Content-Type: application/json" \\
  -d '{{"query": "{{ viewer {{ actor role }} }}"}}'</pre>
<p>An API token is made with <code>periplus api-token create</code>. The schema is <code>hub/schema.graphql</code>,
examples of every field are in <code>docs/reference/graphql-examples</code>, both where Periplus came from.</p>
<h2>Is it well?</h2>
<p><a href="/readyz">/readyz</a> says whether it can commit, <a href="/healthz">/healthz</a> whether it runs.</p>
</body>
</html>
"""


async def front_page(request: Request) -> Response:
    """GET /."""
    return HTMLResponse(_PAGE.format(url=escape(str(request.base_url).rstrip("/"))))
