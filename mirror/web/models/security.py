"""Sign-in, users, tokens, audit."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mirror.adapters.console.roles import Role
from mirror.web.field_sentences import HTTP_ADDRESS, LDAP_ADDRESS, SCOPES, USER_FILTER
from mirror.web.models.said import Said

NAME = Field(min_length=1, max_length=64, examples=["admin"])
PASSWORD = Field(min_length=1, max_length=1024)


class Strict(BaseModel):
    """A body in which a misspelt field is refused, not passed over."""

    model_config = ConfigDict(extra="forbid")


class SignIn(Strict):
    """Name and password."""

    name: str = NAME
    password: str = PASSWORD


class UseLink(Strict):
    """A one-time link and the password to set by it."""

    link: str = Field(min_length=1, max_length=200, description="What stands after #/link/")
    password: str = PASSWORD


class UseTicket(Strict):
    """A one-time ticket, made by the other node for somebody signed in there."""

    ticket: str = Field(min_length=1, max_length=200)


class NewPassword(Strict):
    """A change of one's own password."""

    old: str = PASSWORD
    new: str = PASSWORD


class Session(BaseModel):
    """Who is signed in."""

    signed_in: bool
    name: str = Field(description="Empty when nobody is signed in")
    role: Role | None
    via: str = Field(description="session, token, peer or nobody")
    csrf: str = Field(description="To be sent as X-CSRF-Token with every unsafe request")
    expires_us: int = Field(description="When the session ends if nothing is done; 0: never")
    first_start: bool = Field(
        description="There is no user yet: the one-time link printed by the node sets the first"
        " password, `mirror console link` prints another one"
    )
    node: str = Field(description='Name of this node; "this" before it has one')
    ways: list[str] = Field(
        default_factory=list,
        description="How one may sign in: password, ldap (by name and password too), oidc",
    )
    oidc_label: str = Field(default="", description="What the button to the provider says")


class RoleGroups(Strict):
    """Which groups of the directory or provider have which role."""

    admin: list[str] = Field(default_factory=list, max_length=50)
    control: list[str] = Field(default_factory=list, max_length=50)
    monitor: list[str] = Field(default_factory=list, max_length=50)
    everybody: Literal["", "Monitor", "Control"] = Field(
        default="", description="The role of who is in none of them; empty: refused"
    )


class LdapTarget(Strict):
    """An LDAP directory. Without an address, none is asked."""

    url: str = Field(default="", max_length=300, pattern=LDAP_ADDRESS)
    starttls: bool = False
    ca: str = Field(default="", max_length=65_536, description="PEM; empty: the system's")
    bind_dn: str = Field(default="", max_length=500, description="Account to search with")
    bind_password: str | None = Field(
        default=None, max_length=1024, description="Null: as it was. Never answered"
    )
    base_dn: str = Field(default="", max_length=500)
    user_filter: str = Field(default="(uid={name})", max_length=500, pattern=USER_FILTER)
    group_base_dn: str = Field(default="", max_length=500)
    roles: RoleGroups = Field(default_factory=RoleGroups)


class OidcTarget(Strict):
    """An OpenID Connect provider. Without an issuer, none is offered."""

    issuer: str = Field(default="", max_length=500, pattern=HTTP_ADDRESS)
    client_id: str = Field(default="", max_length=200)
    client_secret: str | None = Field(
        default=None, max_length=1024, description="Null: as it was. Never answered"
    )
    scopes: str = Field(default="openid profile email", max_length=300, pattern=SCOPES)
    name_claim: str = Field(default="preferred_username", max_length=100)
    groups_claim: str = Field(default="groups", max_length=100)
    ca: str = Field(default="", max_length=65_536, description="PEM; empty: the system's")
    label: str = Field(default="", max_length=50)
    roles: RoleGroups = Field(default_factory=RoleGroups)


class SignInTargets(Strict):
    """Who else's word is taken; the same on both nodes."""

    ldap: LdapTarget = Field(default_factory=LdapTarget)
    oidc: OidcTarget = Field(default_factory=OidcTarget)


class SignInView(BaseModel):
    """The same, without secrets."""

    targets: SignInTargets
    ldap_password_set: bool
    oidc_secret_set: bool
    redirect: str = Field(description="What the provider must be told to allow, here")


class TryLdap(Strict):
    """A name and password to try with the directory as it is saved."""

    name: str = NAME
    password: str = PASSWORD


class TriedLdap(BaseModel):
    """What came of it."""

    role: Role | None = Field(description="Null: refused")
    sentence: str
    said: Said | None = Field(default=None, description="What `sentence` was made of")


class Ticket(BaseModel):
    """A one-time ticket."""

    ticket: str
    expires_us: int


class UserView(BaseModel):
    """A user."""

    name: str
    role: Role
    created_us: int
    changed_us: int


class UserList(BaseModel):
    """All users."""

    users: list[UserView]


class PutUser(Strict):
    """A user to add or to change."""

    role: Role
    password: str | None = Field(
        default=None, max_length=1024, description="Null: the password stays"
    )


class UserRow(BaseModel):
    """A user as the other node of the cluster is told; a removed one has no role."""

    name: str = Field(min_length=1, max_length=64)
    role: str = Field(pattern="^(Monitor|Control|Admin|)$")
    password: str = Field(max_length=1024)
    created_us: int
    changed_us: int = Field(ge=0)


class MakeToken(Strict):
    """A bearer token to make."""

    label: str = Field(min_length=1, max_length=64, examples=["prometheus"])
    role: Role
    days: int = Field(default=365, ge=1, le=3650)


class TokenView(BaseModel):
    """A bearer token, without its secret."""

    id: int
    label: str
    role: Role
    created_us: int
    created_by: str
    expires_us: int
    used_us: int = Field(description="When it was used last, to the minute; 0: never")


class MadeToken(BaseModel):
    """A new token. The secret is shown this once."""

    token: TokenView
    secret: str


class TokenList(BaseModel):
    """All tokens."""

    tokens: list[TokenView]


class AuditView(BaseModel):
    """One request that changed something, or tried to."""

    id: int
    time_us: int
    name: str
    role: str
    origin: str = Field(description='Address, or "node n2" when it came through the other node')
    via: str
    module: str
    what: str
    detail: str
    result: str = Field(description='"done", or the sentence of the error')
    said: Said | None = Field(
        default=None, description="What `result` was made of; null: only the sentence is known"
    )
    status: int = Field(description="HTTP status; 0: it did not finish")
    duration_ms: int


class AuditList(BaseModel):
    """Entries of the audit, newest first."""

    entries: list[AuditView]
    next_before: int | None = Field(description="For the page that follows; null at the end")
