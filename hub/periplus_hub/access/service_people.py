"""People who sign in with OpenID Connect: who a token is about, and what its owner may do.

Tokens are checked here, with the issuer's keys; nobody is asked about one. Nothing of a token is logged or kept.
"""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import jwt
import msgspec

from periplus_hub.access import repository
from periplus_hub.access.config import SignInConfig
from periplus_hub.access.engine.claims import person_of
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.model_people import SIGN_IN, Expected, Grant, Person, SignInRefusal
from periplus_hub.access.scope import Role, Scope, role_scope
from periplus_hub.access.service_keys import ALGORITHMS, IssuerKeys
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.http_out import Outbound
from periplus_hub.kit.metrics import counter
from periplus_hub.kit.tenancy import EVERY_TENANT

MOST_CHARS: Final = 8 * 1024
_PARTS: Final = 3
_TENANT_S: Final = 60.0
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""Of tokens that say who somebody is. Issuers sign others too, like those that end sessions."""
_SIGNED: Final = jwt.PyJWS(algorithms=sorted(ALGORITHMS))
_UNREADABLE: Final = (jwt.PyJWTError, ValueError, TypeError, RecursionError)

_outcomes: Final = counter(
    "periplus_sign_in_tokens_total",
    "Tokens of people that were checked, by the outcome: accepted, refused, or unavailable where the hub had no keys.",
    ("outcome",),
)


def looks_signed(presented: str) -> bool:
    """Whether a bearer token has the form of one that an issuer signs."""
    return presented.count(".") == _PARTS - 1


@dataclass(slots=True)
class People:
    """Whoever the issuer vouches for."""

    db: Database
    expected: Expected
    grants: tuple[Grant, ...]
    keys: IssuerKeys
    _tenants: dict[str, tuple[float, UUID | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, db: Database, config: SignInConfig) -> "People | None":
        """None where nobody signs in."""
        if config.expected is None:
            return None
        outbound = Outbound(allow=config.issuer_networks, trust=config.issuer_trust())
        return cls(db, config.expected, config.grants, IssuerKeys(outbound, config.expected.issuer, db.clock))

    async def scope_of(self, presented: str) -> tuple[Scope, RefusedAttempt]:
        """What the token's owner may do, and how the trail is told when they want more.

        Raises SignInRefusal, and Unavailable where nobody can tell.
        """
        try:
            person = person_of(await self.claims(presented), self.expected, self.db.clock.now())
            found = await self.placed(person)
        except SignInRefusal:
            _outcomes.labels("refused").inc()
            raise
        except Unavailable:
            _outcomes.labels("unavailable").inc()
            raise
        _outcomes.labels("accepted").inc()
        return found

    async def placed(self, person: Person) -> tuple[Scope, RefusedAttempt]:
        """What somebody may do by their groups, and how the trail is told when they want more; as `scope_of`."""
        tenant, role = await self._place(person)
        wanting = RefusedAttempt("access:permission:refuse", "", tenant_id=tenant, actor=person.actor)
        return role_scope(tenant, person.actor, role), wanting

    def groups_with_roles(self, person: Person) -> tuple[str, ...]:
        """Those of their groups that have a role here."""
        return tuple(sorted({each.group for each in self.grants} & person.groups))

    def degraded(self) -> dict[str, str]:
        """For `/readyz`."""
        return self.keys.degraded()

    async def claims(self, presented: str) -> dict[str, Any]:
        """What the issuer says in a token that it signed; raises SignInRefusal, and Unavailable."""
        if len(presented) > MOST_CHARS:
            raise SignInRefusal(
                f"the token has {len(presented)} characters, and at most {MOST_CHARS} are read",
                "Have the issuer put fewer groups into it.",
                reason="oversize",
            )
        try:
            header = _SIGNED.get_unverified_header(presented)
        except _UNREADABLE:
            raise _unreadable() from None
        algorithm, kid = _checked(header)
        for key in await self.keys.find(kid, algorithm):
            try:
                signed = _SIGNED.decode_complete(presented, key=key, algorithms=[algorithm])
            except _UNREADABLE:
                continue
            return _object(signed["payload"])
        raise self._unsigned(kid, algorithm)

    def _unsigned(self, kid: str | None, algorithm: str) -> Exception:
        """Nobody can tell, or somebody made it up."""
        if self.keys.trouble is not None and not self.keys.knows(kid, algorithm):
            # Not why: that may name addresses, and whoever asks is a stranger.
            return Unavailable(
                f"people cannot sign in now: the hub cannot read the keys of {self.expected.issuer}",
                "Try again in a minute; API tokens work. Why is in the hub's log and in /readyz.",
            )
        return SignInRefusal(
            f"no key that {self.expected.issuer} publishes has signed the token", SIGN_IN, reason="not signed"
        )

    async def _place(self, person: Person) -> tuple[UUID, Role]:
        mine = [each for each in self.grants if each.group in person.groups]
        if not mine:
            raise SignInRefusal(
                f"no group of {person.actor} has a role here",
                "Ask whoever runs the hub to name one of your groups in oidc_roles; then sign in again.",
                reason="no group with a role",
                actor=person.actor,
                slug="forbidden",
            )
        names = sorted({each.tenant for each in mine})
        if len(names) > 1:
            raise SignInRefusal(
                f"{person.actor} has roles in several tenants: {', '.join(names)}",
                "Ask whoever runs the hub for groups of one tenant; for the others use an API token.",
                reason="several tenants",
                actor=person.actor,
                slug="forbidden",
            )
        tenant = await self._tenant(names[0])
        if tenant is None:
            raise SignInRefusal(
                f"{person.actor} has a role in the tenant {names[0]!r}, which is not there",
                "Ask whoever runs the hub to make it: 'periplus hub tenants create', or to correct oidc_roles.",
                reason="no such tenant",
                actor=person.actor,
                slug="forbidden",
            )
        held = {each.role for each in mine}
        return tenant, next(role for role in reversed(Role) if role.value in held)

    async def _tenant(self, name: str) -> UUID | None:
        """Tenants never go, so one that is known is known for good; one that is not may be made any time."""
        now_s = self.db.clock.monotonic_s()
        asked_s, found = self._tenants.get(name, (float("-inf"), None))
        if found is None and now_s - asked_s >= _TENANT_S:
            async with self.db.read(EVERY_TENANT) as c:
                found = await repository.system_tenant_called(c, name)
            self._tenants[name] = (now_s, found)
        return found


def _checked(header: dict[str, Any]) -> tuple[str, str | None]:
    """Which algorithm and key it says it was signed with, where both can be."""
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if algorithm not in ALGORITHMS:
        raise SignInRefusal(
            "the token is not signed with an algorithm that the hub takes",
            f"Have the issuer sign with one of {', '.join(sorted(ALGORITHMS))}.",
            reason="algorithm not allowed",
        )
    # What is marked as critical has to be understood, and nothing is.
    if "crit" in header or not isinstance(kind, str) or kind.lower() not in _TYPES or not isinstance(kid, str | None):
        raise _unreadable()
    return algorithm, kid


def _object(payload: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _unreadable() from None


def _unreadable() -> SignInRefusal:
    return SignInRefusal("the token cannot be read", SIGN_IN, reason="unreadable")
