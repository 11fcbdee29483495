"""Where a browser signs in and out, and what it is told of its session: the paths below /auth."""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlencode

import msgspec
import structlog
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from periplus_hub.access.engine.login_state import LoginState
from periplus_hub.access.engine.own_paths import is_own_path
from periplus_hub.access.issuer_documents import IssuerTrouble
from periplus_hub.access.model_sessions import BEGUN_FOR
from periplus_hub.access.service import source_address
from periplus_hub.access.service_browser import CALLBACK, BrowserSignIn
from periplus_hub.access.service_sessions import SignedIn
from periplus_hub.api.credentials import SESSION_COOKIE, why_foreign
from periplus_hub.api.pages import Link, told, wants_page
from periplus_hub.api.problems import plain_problem
from periplus_hub.api.sign_in_rate import SignInRate
from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.kit.errors import Invalid, Refusal, Unavailable

LOGIN: Final = "/auth/login"
LOGOUT: Final = "/auth/logout"
BEGUN_COOKIE: Final = "__Host-periplus-sign-in"
PROOF_FIELD: Final = "proof"
_NO_STORE: Final = {"Cache-Control": "no-store"}
_MOST_FORM: Final = 1_024
_STATUS: Final = {
    "invalid": HTTPStatus.BAD_REQUEST,
    "forbidden": HTTPStatus.FORBIDDEN,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "limited": HTTPStatus.TOO_MANY_REQUESTS,
}
_RETRY_AFTER_S: Final = "5"
_NOT_SIGNED_IN: Final = "You are not signed in"
_NOT_SIGNED_OUT: Final = "You are not signed out"

_log: Final = structlog.get_logger(__name__)


class SessionDocument(msgspec.Struct, frozen=True, rename="camel"):
    """What `GET /auth/session` answers."""

    actor: str
    name: str
    subject: str
    issuer: str
    tenant: str
    role: str
    permissions: tuple[str, ...]
    signed_in_at: str
    idle_ends_at: str
    ends_at: str


def proof_of(cookie: str) -> str:
    """What a form on a page of ours has and no other page can know: without scripts it sets no header."""
    return hmac.new(cookie.encode(), b"sign out", "sha256").hexdigest()


def browser_routes(browsers: BrowserSignIn | None, rate: SignInRate) -> list[Route]:
    """/auth/…; without `browsers` each says that nobody signs in here."""
    door = None if browsers is None else _Door(browsers, rate)
    return [
        Route(LOGIN, _closed if door is None else door.login),
        Route(CALLBACK, _closed if door is None else door.callback),
        Route(LOGOUT, _closed if door is None else door.logout, methods=["POST"]),
        Route("/auth/session", _closed if door is None else door.session),
    ]


async def _closed(_: Request) -> Response:
    return plain_problem(
        HTTPStatus.NOT_FOUND,
        "nobody signs in to this hub with a browser",
        "Use an API token or 'periplus login'; or set oidc_issuer and public_url in the hub.",
    )


@dataclass(frozen=True, slots=True)
class _Door:
    browsers: BrowserSignIn
    rate: SignInRate

    async def login(self, request: Request) -> Response:
        """GET /auth/login?to=/path: off to the issuer."""
        to = request.query_params.get("to", "/")
        try:
            self._take()
            if not is_own_path(to):
                raise Invalid(
                    "the sign-in would not lead to a page of this hub", "Give 'to' a path of it that begins with one /."
                )
            begun = await self.browsers.begin(to)
        except (Refusal, *DATABASE_ERRORS) as error:
            return _refused(request, _refusal(error), to)
        answer = RedirectResponse(begun.location, HTTPStatus.SEE_OTHER, _NO_STORE)
        _set(answer, BEGUN_COOKIE, begun.cookie, BEGUN_FOR)
        return answer

    async def callback(self, request: Request) -> Response:
        """GET /auth/callback: back from the issuer, with a code."""
        cookie = request.cookies.get(BEGUN_COOKIE, "")
        begun = LoginState.of_cookie(cookie)
        try:
            self._take()
            before = request.cookies.get(SESSION_COOKIE, "")
            found = await self.browsers.finish(cookie, _once_each(request.query_params), before)
        except (Refusal, *DATABASE_ERRORS) as error:
            answer = _refused(request, _refusal(error), "/" if begun is None else begun.to)
        else:
            answer = RedirectResponse(found.to, HTTPStatus.SEE_OTHER, _NO_STORE)
            _set(answer, SESSION_COOKIE, found.cookie, self.browsers.sessions.limits.longest)
        # Whatever came of it: a sign-in that was begun is finished once.
        _set(answer, BEGUN_COOKIE, "", timedelta(0))
        return answer

    async def logout(self, request: Request) -> Response:
        """POST /auth/logout: ends the session here, and says where the issuer's ends."""
        cookie = request.cookies.get(SESSION_COOKIE, "")
        proof = await _proof(request)
        is_own_form = bool(cookie) and hmac.compare_digest(proof.encode(), proof_of(cookie).encode())
        if why := why_foreign(request.headers, self.browsers.public_url, with_own_header=not is_own_form):
            return _not_signed_out(request, why)
        await self.browsers.sessions.close(cookie, "signed out")
        answer = _left(request, self.browsers.issuer, await self.browsers.leave())
        _set(answer, SESSION_COOKIE, "", timedelta(0))
        return answer

    async def session(self, request: Request) -> Response:
        """GET /auth/session: who is signed in, and until when."""
        found = await self.browsers.sessions.find(request.cookies.get(SESSION_COOKIE, ""), is_use=False)
        if found is None:
            return plain_problem(HTTPStatus.UNAUTHORIZED, "nobody is signed in", f"Open {LOGIN} in the browser.")
        document = _document(found, await self.browsers.sessions.tenant_name(found))
        return Response(msgspec.json.encode(document), headers=_NO_STORE, media_type="application/json")

    def _take(self) -> None:
        if not self.rate.takes(source_address.get()):
            self.browsers.limited()
            raise Refusal("too many sign-ins come from your address", "Try again in a minute.", slug="limited")


def _document(found: SignedIn, tenant: str) -> SessionDocument:
    session, scope = found.session, found.scope
    return SessionDocument(
        actor=scope.actor,
        name=session.name,
        subject=session.subject,
        issuer=session.issuer,
        tenant=tenant,
        role=scope.role.value,
        permissions=tuple(sorted(scope.permissions)),
        signed_in_at=session.signed_in_at.isoformat(),
        idle_ends_at=session.idle_ends_at.isoformat(),
        ends_at=session.ends_at.isoformat(),
    )


def _once_each(given: QueryParams) -> dict[str, str]:
    """Parameters; one that is there twice could be read in two ways, and is not read at all."""
    names = [name for name, _ in given.multi_items()]
    return {name: value for name, value in given.multi_items() if names.count(name) == 1}


async def _proof(request: Request) -> str:
    """Of a form; whatever else is sent is not looked at."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return ""
    body = await request.body()
    return "" if len(body) > _MOST_FORM else parse_qs(body.decode("ascii", "replace")).get(PROOF_FIELD, [""])[0]


def _left(request: Request, issuer: str, place: str | None) -> Response:
    if not wants_page(request):
        return Response(msgspec.json.encode({"endSessionUrl": place}), headers=_NO_STORE, media_type="application/json")
    again = Link(LOGIN, "Sign in again")
    if place is None:
        return told("You are signed out", f"You may still be signed in at {issuer}.", links=(again,))
    there = Link(place, "Sign out there, too")
    return told(
        "You are signed out",
        f"You are signed out of Periplus, and may still be signed in at {issuer}.",
        links=(there, again),
    )


def _refusal(error: Exception) -> Refusal:
    """What can be told of it."""
    if isinstance(error, Refusal):
        return error
    return Unavailable("people cannot sign in now: the hub's database does not answer", "Try again in a minute.")


def _refused(request: Request, refusal: Refusal, to: str = "/") -> Response:
    status = _STATUS.get(refusal.slug, HTTPStatus.SERVICE_UNAVAILABLE)
    if isinstance(refusal, IssuerTrouble):  # nothing that strangers could fill the log with
        _log.warning("issuer_not_usable", reason=refusal.message, remedy=refusal.remedy)
    if wants_page(request):
        answer = told(_NOT_SIGNED_IN, _sentence(refusal.message), refusal.remedy, links=_ways_on(to), status=status)
    else:
        answer = plain_problem(status, refusal.message, refusal.remedy)
    if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        answer.headers["Retry-After"] = _RETRY_AFTER_S
    return answer


def _not_signed_out(request: Request, why: str) -> Response:
    status, remedy = HTTPStatus.FORBIDDEN, "Sign out on a page of the hub."
    if wants_page(request):
        return told(_NOT_SIGNED_OUT, _sentence(why), remedy, links=(Link("/", "To the start"),), status=status)
    return plain_problem(status, f"nobody is signed out: {why}", remedy)


def _ways_on(to: str) -> tuple[Link, ...]:
    query = f"?{urlencode({'to': to})}" if is_own_path(to) and to != "/" else ""
    return Link(f"{LOGIN}{query}", "Try again"), Link("/", "To the start")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _set(answer: Response, name: str, value: str, lives: timedelta) -> None:
    answer.set_cookie(
        name, value, max_age=int(lives.total_seconds()), path="/", secure=True, httponly=True, samesite="lax"
    )
