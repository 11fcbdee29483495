"""A small issuer of OpenID Connect over TLS: discovery, keys that rotate, device flow, code flow, refresh tokens."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.support.certificates import self_signed
from tests.support.web_apps import listening

CLIENT = "periplus-cli"
ADA = {"sub": "248289761001", "preferred_username": "ada", "groups": ["network-team"]}
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class SigningKey:
    """One of the issuer's."""

    kid: str
    private: Any
    algorithm: str

    @classmethod
    def new(cls, kid: str, algorithm: str = "ES256") -> "SigningKey":
        if algorithm.startswith(("RS", "PS")):
            return cls(kid, rsa.generate_private_key(public_exponent=65_537, key_size=2_048), algorithm)
        return cls(kid, ec.generate_private_key(ec.SECP256R1()), algorithm)

    @property
    def published(self) -> dict[str, Any]:
        kind = RSAAlgorithm if self.algorithm.startswith(("RS", "PS")) else ECAlgorithm
        entry: dict[str, Any] = kind.to_jwk(self.private.public_key(), as_dict=True)
        return entry | {"kid": self.kid, "use": "sig", "alg": self.algorithm}

    @property
    def public_pem(self) -> bytes:
        found: bytes = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return found


@dataclass
class Issuer:
    """What it says, what it was asked, and how it misbehaves."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    url: str = ""
    ca_file: Path = Path()
    keys: list[SigningKey] = field(default_factory=lambda: [SigningKey.new("first")])
    person: dict[str, Any] = field(default_factory=lambda: dict(ADA))
    """Who signs in by the device flow."""
    instead: dict[str, tuple[int, bytes, dict[str, str]]] = field(default_factory=dict)
    """What it answers at a path, whatever it is asked."""
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, nothing is answered."""
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)
    forms: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """What was posted, and to which path."""
    polls: list[str] = field(default_factory=list)
    """Errors of the next polls; afterwards the person has agreed."""
    device: dict[str, Any] = field(default_factory=dict)
    """What the device endpoint says otherwise than usual."""
    secret: str | None = None
    """That a client with one has to show, as `shows_it` says."""
    shows_it: str = "client_secret_basic"
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    """What was asked with those that nobody showed yet."""
    changed: dict[str, Any] = field(default_factory=dict)
    """What is otherwise in the ID tokens of the code flow."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of what was posted to the token endpoint."""
    refresh_tokens: set[str] = field(default_factory=set)
    lifetime: timedelta = _LIFETIME
    _numbers: Any = field(default_factory=lambda: count(1))

    @property
    def settings(self) -> dict[str, Any]:
        """With which a hub takes it."""
        return {
            "oidc_issuer": self.url,
            "oidc_client_id": CLIENT,
            "oidc_roles": ("network-team=operator", "readers=viewer"),
            "oidc_ca_file": self.ca_file,
            "oidc_networks": ("127.0.0.0/8",),
        }

    def posted(self, path: str) -> list[dict[str, str]]:
        return [form for where, form in self.forms if where == path]

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Of a token that lets Ada in; None takes a claim away."""
        now = self.now()
        found = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + self.lifetime} | self.person | changed
        return {name: value for name, value in found.items() if value is not None}

    def token(self, key: SigningKey | None = None, headers: dict[str, Any] | None = None, **changed: Any) -> str:
        """Signed with the newest key."""
        key = key or self.keys[-1]
        named = {name: value for name, value in ({"kid": key.kid} | (headers or {})).items() if value is not None}
        return jwt.encode(self.claims(**changed), key.private, algorithm=key.algorithm, headers=named)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        self.heard.set()
        await self.goes_on.wait()
        if request.path in self.instead:
            status, body, headers = self.instead[request.path]
            return web.Response(status=status, body=body, headers=headers)
        form = dict(request.query) | {name: str(value) for name, value in (await request.post()).items()}
        if request.path == "/token":
            self.headers.append(dict(request.headers))
        if request.method == "POST":
            self.forms.append((request.path, form))
        answers: dict[str, Callable[[dict[str, str]], web.Response]] = {
            "/.well-known/openid-configuration": self._document,
            "/keys": lambda _: web.json_response({"keys": [each.published for each in self.keys]}),
            "/authorize": self._authorize,
            "/device": self._device,
            "/token": self._token,
            "/revoke": self._revoke,
        }
        return answers[request.path](form) if request.path in answers else web.Response(status=404)

    def _document(self, _: dict[str, str]) -> web.Response:
        places = {"token": "token", "device_authorization": "device", "revocation": "revoke"}
        places |= {"authorization": "authorize", "end_session": "end"}
        endpoints = {f"{name}_endpoint": f"{self.url}/{path}" for name, path in places.items()}
        methods = {"token_endpoint_auth_methods_supported": [self.shows_it]}
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys", "extra": 1} | endpoints | methods)

    def _authorize(self, asked: dict[str, str]) -> web.Response:
        """The person agrees at once."""
        code = f"code-{next(self._numbers)}"
        self.codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"], "iss": self.url})
        return web.Response(status=302, headers={"location": f"{asked['redirect_uri']}?{back}"})

    def _exchanged(self, form: dict[str, str]) -> web.Response:
        """Once, for whoever asked for the code, can show the verifier and knows the secret."""
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        shown = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri") or asked["code_challenge"] != shown:
            return web.json_response({"error": "invalid_grant"}, status=400)
        if self.secret is not None and not self._knows_secret(form):
            return web.json_response({"error": "invalid_client"}, status=401)
        claims = {"nonce": asked["nonce"]} | self.changed
        said = {"id_token": self.token(**claims), "access_token": self.token(aud="api"), "token_type": "Bearer"}
        return web.json_response(said)

    def _knows_secret(self, form: dict[str, str]) -> bool:
        if self.shows_it == "client_secret_post":
            return form.get("client_secret") == self.secret
        pair = f"{quote(CLIENT, safe='')}:{quote(self.secret or '', safe='')}"
        return self.headers[-1].get("Authorization") == f"Basic {base64.b64encode(pair.encode()).decode()}"

    def _device(self, form: dict[str, str]) -> web.Response:
        if form.get("client_id") != CLIENT:
            return web.json_response({"error": "invalid_client"}, status=401)
        said = {"device_code": "device-secret", "user_code": "WDJB-MJHT", "verification_uri": f"{self.url}/activate"}
        return web.json_response(said | {"expires_in": 600, "interval": 1} | self.device)

    def _token(self, form: dict[str, str]) -> web.Response:
        if form.get("client_id") != CLIENT:
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("grant_type") == "authorization_code":
            return self._exchanged(form)
        if form.get("grant_type") == DEVICE_GRANT:
            if form.get("device_code") != "device-secret":
                return web.json_response({"error": "invalid_grant"}, status=400)
            if self.polls:
                return web.json_response({"error": self.polls.pop(0)}, status=400)
            return self._tokens()
        if form.get("grant_type") == "refresh_token" and form.get("refresh_token", "") in self.refresh_tokens:
            self.refresh_tokens.discard(form["refresh_token"])
            return self._tokens()
        return web.json_response({"error": "invalid_grant", "error_description": "session ended"}, status=400)

    def _tokens(self) -> web.Response:
        refresh = f"refresh-{next(self._numbers)}"
        self.refresh_tokens.add(refresh)
        said = {"id_token": self.token(), "access_token": self.token(aud="elsewhere"), "token_type": "Bearer"}
        return web.json_response(said | {"refresh_token": refresh, "expires_in": int(self.lifetime.total_seconds())})

    def _revoke(self, form: dict[str, str]) -> web.Response:
        self.refresh_tokens.discard(form.get("token", ""))
        return web.Response()


@asynccontextmanager
async def issuer(folder: Path, now: Callable[[], datetime] | None = None) -> AsyncIterator[Issuer]:
    """One that listens on loopback, with a certificate of its own."""
    found = Issuer() if now is None else Issuer(now=now)
    found.goes_on.set()
    place = folder / "issuer"
    place.mkdir()
    found.ca_file, key = self_signed(place, "127.0.0.1")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(found.ca_file, key)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", found.answer)
    async with listening(app, tls=tls) as (host, port):
        found.url = f"https://{host}:{port}"
        try:
            yield found
        finally:
            found.goes_on.set()
