"""What a browser gets at the API listener's address while there is no page to use: where to go from here.

Nothing of the fleet is on it, so it asks for no token; it shows who is signed in, to them alone.
"""

from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from periplus_hub.access.service_browser import BrowserSignIn
from periplus_hub.api.browser_routes import LOGIN, LOGOUT, PROOF_FIELD, proof_of
from periplus_hub.api.credentials import SESSION_COOKIE
from periplus_hub.api.pages import page
from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.kit.errors import Unavailable

_BODY: Final = """<h1>Periplus</h1>
<p>This is the hub's API, for people and programs. It answers GraphQL; there is no page to click through yet.</p>
{who}<h2>From a shell</h2>
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
<p><a href="/readyz">/readyz</a> says whether it can commit, <a href="/healthz">/healthz</a> whether it runs.</p>"""
_SIGN_IN: Final = '<p><a href="{url}{login}">Sign in</a></p>\n'
_SIGNED_IN: Final = """<p>You are signed in as <b>{name}</b>: {role} in the tenant {tenant}, until
{until} at the latest.</p>
<form method="post" action="{logout}"><input type="hidden" name="{field}" value="{proof}">
<button>Sign out</button></form>
"""
_NOT_KNOWN: Final = "<p>Whether you are signed in is not known now: the hub's database does not answer.</p>\n"


def front_page_route(browsers: BrowserSignIn | None) -> Route:
    """GET /."""

    async def front_page(request: Request) -> Response:
        url = str(request.base_url).rstrip("/") if browsers is None else browsers.public_url
        who = "" if browsers is None else await _who(browsers, request.cookies.get(SESSION_COOKIE, ""))
        return page("Periplus", _BODY.format(url=escape(url), who=who), has_form=bool(who))

    return Route("/", front_page)


async def _who(browsers: BrowserSignIn, cookie: str) -> str:
    """Who is signed in and how to sign out, or where to sign in."""
    try:
        found = await browsers.sessions.find(cookie, is_use=False)
        tenant = "" if found is None else await browsers.sessions.tenant_name(found)
    except (*DATABASE_ERRORS, Unavailable):
        return _NOT_KNOWN
    if found is None:
        # Where browsers are to reach the hub: a cookie of another name of it would not come back.
        return _SIGN_IN.format(url=escape(browsers.public_url), login=LOGIN)
    session = found.session
    return _SIGNED_IN.format(
        name=escape(session.name or session.subject),
        role=escape(found.scope.role.value),
        tenant=escape(tenant),
        until=f"{session.ends_at:%Y-%m-%d %H:%M} UTC",
        logout=LOGOUT,
        field=PROOF_FIELD,
        proof=proof_of(cookie),
    )
