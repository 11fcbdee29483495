"""Signing in with a browser: the authorization code flow of OpenID Connect, with PKCE, state and nonce.

The browser goes to the issuer and comes back with a code; the hub exchanges that for tokens, checks them, and keeps a
session. Nothing of a code or of a token is logged or kept, and no refresh token is asked for.
"""

import asyncio
import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import structlog

from periplus_hub.access.config import SignInConfig
from periplus_hub.access.config_browser import BrowserSignInConfig, read_secret
from periplus_hub.access.engine.claims import person_of
from periplus_hub.access.engine.login_state import LoginState
from periplus_hub.access.issuer_documents import IssuerDocument, IssuerTrouble
from periplus_hub.access.issuer_tokens import Tokens, error_of, post_form, read_answer
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.model_people import Expected, Person, SignInRefusal
from periplus_hub.access.model_sessions import Session
from periplus_hub.access.service_sessions import Sessions
from periplus_hub.kit.errors import Refusal, Unavailable
from periplus_hub.kit.ids import random_token
from periplus_hub.kit.metrics import counter

CALLBACK: Final = "/auth/callback"
_AGAIN: Final = "Sign in again."
_ISSUER_AWAY: Final = "Try again in a minute. Why is in the hub's log."
_LONGEST_CODE: Final = 2_048
_AT_ONCE: Final = 8
"""So many codes are exchanged at the same time: strangers make up codes, and each is a question to the issuer."""
_MAX_WAITING: Final = 100
_WORDS: Final = frozenset(
    {
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "invalid_request",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_response_type",
    }
)
"""What an issuer may say instead of a code (RFC 6749, OpenID Connect). Other words are anybody's, and not repeated."""

_log: Final = structlog.get_logger(__name__)
_results: Final = counter(
    "periplus_browser_sign_ins_total",
    "Sign-ins with a browser that came back from the issuer, by the result: signed-in, refused, unavailable where the "
    "issuer or the database did not answer, or limited where too many came from one address.",
    ("result",),
)


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what it keeps meanwhile."""

    location: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A session, its cookie, and the path that the browser goes on to."""

    session: Session
    cookie: str
    to: str


@dataclass(slots=True)
class BrowserSignIn:
    """Of a hub at `public_url`, which is the client `client_id` at the issuer."""

    sessions: Sessions
    public_url: str
    client_id: str
    scopes: tuple[str, ...]
    audience: str | None
    secret_file: Path | None
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _waiting: int = 0

    @classmethod
    def of(cls, sessions: Sessions, config: SignInConfig, browser: BrowserSignInConfig) -> "BrowserSignIn | None":
        """None where nobody signs in with a browser."""
        client_id = browser.oidc_browser_client_id or config.oidc_client_id
        if browser.public_url is None or client_id is None:
            return None
        # A refresh token would only be one more secret to lose: signing in again asks the issuer, too.
        scopes = tuple(each for each in config.oidc_scopes if each != "offline_access")
        secret_file = browser.oidc_client_secret_file
        return cls(sessions, browser.public_url, client_id, scopes, config.oidc_audience, secret_file)

    @property
    def issuer(self) -> str:
        """Who vouches for people."""
        return self.sessions.people.expected.issuer

    async def begin(self, to: str) -> Begun:
        """Raises Unavailable where the issuer was never read, and IssuerTrouble."""
        document = await self._document()
        if not document.authorization_endpoint or not document.token_endpoint:
            raise IssuerTrouble(
                f"{self.issuer} has no sign-in with a browser (authorization_endpoint)",
                "Have the issuer offer the authorization code flow.",
            )
        begun = LoginState(random_token(), int(self.sessions.db.clock.now().timestamp()), to)
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self._back,
            "scope": " ".join(self.scopes),
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": begun.challenge,
            "code_challenge_method": "S256",
        }
        if self.audience is not None:
            asked["audience"] = self.audience
        return Begun(_with(document.authorization_endpoint, asked), begun.cookie)

    async def finish(self, cookie: str, answer: Mapping[str, str], before: str) -> Finished:
        """What the browser came back with; `before` is the cookie of the session that it replaces.

        Raises SignInRefusal, and Unavailable and IssuerTrouble where nobody can tell.
        """
        try:
            begun = self._begun(cookie, answer)
            found = await self._finish(begun, answer)
        except SignInRefusal as refusal:
            self.sessions.refused(RefusedAttempt("access:sign-in:refuse", refusal.reason, actor=refusal.actor))
            _results.labels("refused").inc()
            raise
        except Refusal:
            _results.labels("unavailable").inc()
            raise
        _results.labels("signed-in").inc()
        if before:
            await self.sessions.close(before, "signed in again")
        return found

    def limited(self) -> None:
        """Count one that had to wait because of its address."""
        _results.labels("limited").inc()

    async def leave(self) -> str | None:
        """Where the issuer ends its own session with the browser, if it has such a place and was ever read."""
        document = await self.sessions.people.keys.document()
        if document is None or not document.end_session_endpoint:
            return None
        back = {"client_id": self.client_id, "post_logout_redirect_uri": f"{self.public_url}/"}
        return _with(document.end_session_endpoint, back)

    @property
    def _back(self) -> str:
        return f"{self.public_url}{CALLBACK}"

    async def _document(self) -> IssuerDocument:
        found = await self.sessions.people.keys.document()
        if found is None:
            raise Unavailable(f"people cannot sign in now: the hub cannot read {self.issuer}", _ISSUER_AWAY)
        return found

    def _begun(self, cookie: str, answer: Mapping[str, str]) -> LoginState:
        """The sign-in that this browser began, and that the issuer answers."""
        begun = LoginState.of_cookie(cookie)
        state = answer.get("state", "")
        if begun is None or not hmac.compare_digest(begun.state.encode(), state.encode()):
            raise SignInRefusal(
                "this is not the answer to a sign-in that this browser began last",
                f"{_AGAIN} The browser has to take cookies.",
                reason="not begun here",
                slug="invalid",
            )
        if not begun.holds(self.sessions.db.clock.now()):
            raise SignInRefusal("the sign-in took longer than ten minutes", _AGAIN, reason="too late", slug="invalid")
        return begun

    async def _finish(self, begun: LoginState, answer: Mapping[str, str]) -> Finished:
        document = await self._document()
        code = self._code(document, answer)
        if self._waiting >= _MAX_WAITING:
            raise Unavailable("too many sign-ins wait for the issuer", "Try again in a few seconds.")
        self._waiting += 1
        try:
            async with self._turns:
                tokens = await self._exchange(document, code, begun)
                person = await self._person(tokens, begun)
        finally:
            self._waiting -= 1
        scope, _ = await self.sessions.people.placed(person)
        session, secret = await self.sessions.open(person, scope, begun.state)
        return Finished(session, secret, begun.to)

    def _code(self, document: IssuerDocument, answer: Mapping[str, str]) -> str:
        # Another issuer's answer to a sign-in that was begun at ours would be shown to ours (RFC 9207).
        named = answer.get("iss", "" if document.authorization_response_iss_parameter_supported else self.issuer)
        if named != self.issuer:
            raise SignInRefusal(
                f"the answer is of another issuer than {self.issuer} (iss)", _AGAIN, reason="other issuer"
            )
        if "error" in answer:
            word = answer["error"] if answer["error"] in _WORDS else "an error that the hub does not know"
            raise SignInRefusal(
                f"{self.issuer} did not sign you in: {word}",
                f"{_AGAIN} If it stays, ask whoever runs the issuer.",
                reason=f"issuer says {word}",
            )
        code = answer.get("code", "")
        if not (0 < len(code) <= _LONGEST_CODE and code.isascii() and code.isprintable()):
            raise SignInRefusal("the issuer sent no code", _AGAIN, reason="no code", slug="invalid")
        return code

    async def _exchange(self, document: IssuerDocument, code: str, begun: LoginState) -> Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "client_id": self.client_id,
            "code_verifier": begun.verifier,
        }
        proof, headers = self._proof(document)
        try:
            answer = await post_form(self.sessions.people.keys.outbound, document.token_endpoint, form | proof, headers)
        except Refusal as refusal:
            _log.warning("issuer_not_reached", reason=refusal.message, remedy=refusal.remedy)
            raise Unavailable(f"people cannot sign in now: {self.issuer} does not answer", _ISSUER_AWAY) from refusal
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"people cannot sign in now: {self.issuer} answers {answer.status}", _ISSUER_AWAY)
        if answer.status != HTTPStatus.OK:
            raise _not_exchanged(self.issuer, error_of(answer))
        return read_answer(answer, Tokens)

    def _proof(self, document: IssuerDocument) -> tuple[dict[str, str], dict[str, str]]:
        """Form fields and headers that say that it is this client who asks."""
        if self.secret_file is None:
            return {}, {}
        try:
            secret = read_secret(self.secret_file)
        except (OSError, ValueError) as error:
            raise IssuerTrouble(
                "the hub cannot read its secret for the issuer", "Check oidc_client_secret_file, and who may read it."
            ) from error
        known = document.token_endpoint_auth_methods_supported
        if "client_secret_basic" not in known and "client_secret_post" in known:
            return {"client_secret": secret}, {}
        pair = f"{quote(self.client_id, safe='')}:{quote(secret, safe='')}"
        return {}, {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    async def _person(self, tokens: Tokens, begun: LoginState) -> Person:
        """Whom the tokens are about. The ID token says who signed in here and now.

        Where `oidc_audience` is set, the access token says the groups, as it does for commands.
        """
        people, now = self.sessions.people, self.sessions.db.clock.now()
        here = replace(people.expected, client_id=self.client_id, audience=self.client_id)
        claims = await people.claims(tokens.shown(id_token=True))
        person = person_of(claims, here, now)
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), begun.nonce.encode()):
            raise SignInRefusal("the ID token is not for this sign-in (nonce)", _AGAIN, reason="other nonce")
        if claims.get("azp", self.client_id) != self.client_id:
            raise SignInRefusal(
                f"the ID token was made for another client than {self.client_id} (azp)", _AGAIN, reason="other client"
            )
        return person if self.audience is None else await self._by_access_token(tokens, person, here)

    async def _by_access_token(self, tokens: Tokens, person: Person, here: Expected) -> Person:
        people = self.sessions.people
        claims = await people.claims(tokens.shown(id_token=False))
        expected = replace(here, audience=people.expected.audience)
        found = person_of(claims, expected, self.sessions.db.clock.now())
        if found.subject != person.subject:
            raise SignInRefusal("the two tokens are about different people (sub)", _AGAIN, reason="other subject")
        return replace(person, groups=found.groups)


def _not_exchanged(issuer: str, word: str) -> SignInRefusal:
    if word == "invalid_grant":
        return SignInRefusal(
            f"{issuer} does not take the code: it was used already, or is too old", _AGAIN, reason="code not taken"
        )
    shown = word if word in {"invalid_client", "invalid_request", "unauthorized_client"} else "it does not say why"
    return SignInRefusal(
        f"{issuer} gives no token for the code ({shown})",
        "Ask whoever runs the hub to compare oidc_browser_client_id, oidc_client_secret_file and "
        "<public_url>/auth/callback with the client at the issuer.",
        reason="code not exchanged",
    )


def _with(url: str, asked: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"
