"""What the claims of a token come to: who it is about, or why it lets nobody in.

The signature was checked before: everything here is what the issuer says.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from periplus_hub.access.model_people import SIGN_IN, Expected, Person, SignInRefusal

_MOST_SUBJECT: Final = 255
_MOST_GROUPS: Final = 5_000
_MOST_TIME_S: Final = 253_402_300_799
"""The last second of the year 9999."""


def person_of(claims: Mapping[str, Any], expected: Expected, now: datetime) -> Person:
    """Whom the token is about; raises SignInRefusal."""
    _of_the_issuer(claims, expected)
    _for_us(claims, expected)
    _in_time(claims, expected, now)
    # Whoever shows such a token has to prove that it is theirs, which this door does not ask for.
    if "cnf" in claims:
        raise SignInRefusal(
            "the token is bound to a key (cnf), which the hub does not check",
            "Have the issuer give plain bearer tokens for the hub.",
            reason="bound to a key",
        )
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _is_subject(subject):
        raise SignInRefusal(
            "the token does not say whom it is about (sub)", "Check the issuer's client.", reason="no subject"
        )
    name = claim_at(claims, expected.name_claim)
    groups = _groups(claim_at(claims, expected.groups_claim))
    return Person(expected.issuer, subject, name if isinstance(name, str) else "", groups)


def claim_at(claims: Mapping[str, Any], name: str) -> object:
    """The claim of this name, or what is there when its dots lead into objects, as in realm_access.roles."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def _of_the_issuer(claims: Mapping[str, Any], expected: Expected) -> None:
    # Exactly, without caring for a slash more or less: two issuers may differ in nothing else.
    if claims.get("iss") != expected.issuer:
        raise SignInRefusal(
            f"the token is of another issuer than {expected.issuer} (iss)",
            "Sign in where the hub says: run 'periplus login'.",
            reason="other issuer",
        )


def _for_us(claims: Mapping[str, Any], expected: Expected) -> None:
    audiences = claims.get("aud")
    audiences = [audiences] if isinstance(audiences, str) else audiences
    if not isinstance(audiences, list) or expected.audience not in audiences:
        raise SignInRefusal(
            f"the token is not for {expected.audience} (aud)",
            "Show the hub the token that was made for it: run 'periplus login'.",
            reason="other audience",
        )
    # One that is for others too is taken only from the program that people sign in with: any of the others could
    # show it here.
    if len(audiences) > 1 and claims.get("azp") != expected.client_id:
        raise SignInRefusal(
            f"the token is for several and was not made for the client {expected.client_id} (azp)",
            "Show the hub a token that was made for it: run 'periplus login'.",
            reason="other client",
        )


def _in_time(claims: Mapping[str, Any], expected: Expected, now: datetime) -> None:
    at_s, tolerance_s = now.timestamp(), expected.tolerance.total_seconds()
    times = {name: _seconds(claims, name) for name in ("exp", "nbf", "iat")}
    expires_s = times["exp"]
    if expires_s is None:
        raise SignInRefusal("the token has no end (exp)", "Check the issuer's client.", reason="no end")
    if at_s >= expires_s + tolerance_s:
        raise SignInRefusal(f"the sign-in ended at {_shown(expires_s)}", SIGN_IN, reason="expired")
    for name in ("nbf", "iat"):
        begins_s = times[name]
        if begins_s is not None and at_s < begins_s - tolerance_s:
            raise SignInRefusal(
                f"the token is of a time that has not come, {_shown(begins_s)} ({name})",
                "Set the clocks of the hub and of the issuer.",
                reason="not yet valid",
            )


def _seconds(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_TIME_S:
        raise SignInRefusal(
            f"the token names no time that can be read ({name})", "Check the issuer's client.", reason="no time"
        )
    return value


def _shown(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _is_subject(text: str) -> bool:
    """ASCII, as the standard has it; and nothing that would hide where it ends."""
    return 0 < len(text) <= _MOST_SUBJECT and all("!" <= letter <= "~" for letter in text) and not set(text) & {*"<>"}


def _groups(value: object) -> frozenset[str]:
    """Some issuers write the only group without a list."""
    found = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(each for each in found[:_MOST_GROUPS] if isinstance(each, str))
