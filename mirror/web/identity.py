"""Who asks, with which right. No behaviour but the comparison of rights."""

from dataclasses import dataclass
from enum import StrEnum

from mirror.adapters.console.roles import Role


class Access(StrEnum):
    """What a route takes: nothing, a role, or a certificate of the cluster."""

    PUBLIC = "public"
    MONITOR = "Monitor"
    CONTROL = "Control"
    ADMIN = "Admin"
    PEER = "peer"

    @property
    def role(self) -> Role | None:
        """The role needed; None when it is not a question of roles."""
        return None if self in {Access.PUBLIC, Access.PEER} else Role(self.value)


class Via(StrEnum):
    """How the caller proved who it is."""

    NOBODY = "nobody"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a word, no secret
    PEER = "peer"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. role: None when nobody is signed in, or the other node speaks for itself.

    origin: the address the request came from, or "node n2" when it came through the other node.
    csrf: what unsafe requests must repeat; "" when they need not.
    secret: of the session, to end it; never shown. expires_us: when the session ends.
    since_us: when the person signed in; 0 when nobody did.
    """

    name: str
    role: Role | None
    via: Via
    origin: str
    csrf: str = ""
    secret: str = ""
    expires_us: int = 0
    since_us: int = 0


NOBODY = Caller(name="", role=None, via=Via.NOBODY, origin="")
