"""What the domain may refuse. Anything else that is raised is a bug or a broken machine."""

from typing import ClassVar


class Refusal(Exception):
    """An expected "no": `message` names the thing, `remedy` says what to do, `slug` is the stable code."""

    default_slug: ClassVar[str] = "refused"

    def __init__(self, message: str, remedy: str = "", *, slug: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.slug = slug or self.default_slug


class NotFound(Refusal):
    """There is no such thing, or not for this tenant: the two look the same on purpose."""

    default_slug = "not-found"


class Conflict(Refusal):
    """It cannot be done in the state things are in."""

    default_slug = "conflict"


class Forbidden(Refusal):
    """The asker's role does not allow it."""

    default_slug = "forbidden"


class Invalid(Refusal):
    """The input breaks a rule."""

    default_slug = "invalid"


class Unavailable(Refusal):
    """A store cannot be used right now; the same call may succeed later."""

    default_slug = "unavailable"
